"""The Django app that django-payments wants a shop to have: its payment model."""
