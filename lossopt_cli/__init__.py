"""Which loss, which optimizer, which learning rate, and how sure are we?"""

__version__ = "0.1.0"
