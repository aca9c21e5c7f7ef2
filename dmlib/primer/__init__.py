"""Material of the teaching chapters: learning and layers in a few lines of numpy each, written to be read."""

from ..environment import plain_keras

plain_keras()
