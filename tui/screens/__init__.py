"""The screens: dashboard, experiment, text, help, dialogs, setup."""
