"""States as pages say them."""

from django import template

from webapp.runs.models import in_words

register = template.Library()
register.filter("state_word", in_words)
