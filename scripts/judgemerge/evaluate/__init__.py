"""How well judges agree with people: metrics, intervals, paired tests, human ceilings and bias. Pure functions."""
