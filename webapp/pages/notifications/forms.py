"""How a person wants to be told, as a form."""

from django import forms

from webapp.notifications.models import Wishes
from webapp.notifications.outbox import check_webhook


class WishesForm(forms.ModelForm):
    """Which events, whose experiments, and the ways out of the page."""

    class Meta:
        model = Wishes
        fields = ("ended", "failed", "critical", "everybody", "webhook_url", "email")
        widgets = {
            "webhook_url": forms.URLInput(attrs={"placeholder": "https://host/path", "autocomplete": "off"}),
            "email": forms.EmailInput(attrs={"autocomplete": "email"}),
        }

    def clean_webhook_url(self) -> str:
        """An address that may be asked, or none."""
        url: str = self.cleaned_data["webhook_url"]
        try:
            return check_webhook(url) if url else ""
        except ValueError as error:
            raise forms.ValidationError(str(error)) from None
