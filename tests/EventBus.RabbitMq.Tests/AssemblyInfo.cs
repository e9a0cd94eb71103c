// The tests mostly wait for RabbitMQ.
[assembly: Xunit.v3.Parallelization(MaxThreads = 3)]
