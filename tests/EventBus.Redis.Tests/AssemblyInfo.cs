// The tests mostly wait for Redis.
[assembly: Xunit.v3.Parallelization(MaxThreads = 3)]
