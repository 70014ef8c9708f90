"""What `fuseprop bench` measures, and what it makes of that.

`asked` says which networks, devices and libraries there are to be measured, `measuring` does so until its
time is over, `outcome` turns the raw figures into rows, `crossover` says where one device overtakes another,
`words` and `pages` show all of it.
"""
