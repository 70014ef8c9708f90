"""What says that a training has left a setting that it was given."""


class SettingChanged(UserWarning):
    """Training goes on with another batch size, or another learning rate, than it was given."""


CHOICES = {"stop": False, "halve": True}
"""What may be done where training cannot go on with its settings: whether one of them is halved."""
