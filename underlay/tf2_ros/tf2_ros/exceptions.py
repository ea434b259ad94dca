"""Why a transform could not be given."""


class TransformException(Exception):
    """Base of all errors of tf."""


class ConnectivityException(TransformException):
    """The two frames are in different trees."""


class LookupException(TransformException):
    """A frame that no transform has named yet, or a tree with a loop."""


class ExtrapolationException(TransformException):
    """The stamp lies before the first or after the last transform of an edge between the frames."""


class InvalidArgumentException(TransformException):
    """A frame name that is empty or begins with a slash."""
