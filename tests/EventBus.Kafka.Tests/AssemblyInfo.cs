// The tests mostly wait for Kafka.
[assembly: Xunit.v3.Parallelization(MaxThreads = 3)]
