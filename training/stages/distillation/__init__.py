"""Distillation: learn a teacher's right solutions."""
