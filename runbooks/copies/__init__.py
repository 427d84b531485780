"""Copy pipes as a timetable: how they ran, what is wrong with their schedules, and better ones."""
