"""MARC, the record of libraries: its fields, and what they tell about the objects of the model."""
