#: wrong, unnamed: at least one
chance_of_false_alarm = 0.95**20

#: wrong, unnamed: twice
chance_of_false_alarm = 20 * 0.05

#: wrong, too-small: too small
chance_of_false_alarm = 0.05
