using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Repeats one maintenance action of a subscription, and reports its errors in the log and the health check until the
/// action succeeds. Errors that the read loop reports too, for instance an outage, are left to it.
/// </summary>
internal sealed class MaintenanceLoop
{
    private static readonly TimeSpan MaxRetryDelay = TimeSpan.FromSeconds(2);

    private readonly RedisConsumer consumer;
    private readonly string purpose;
    private readonly TimeSpan period;
    private readonly SupervisedLoop supervisor;

    /// <summary>Creates the loop of an action.</summary>
    /// <param name="consumer">The consumer.</param>
    /// <param name="purpose">The action as a verb phrase, for instance "renew its entries".</param>
    /// <param name="period">The delay before the action is repeated; at most 2 seconds after a failure.</param>
    /// <param name="reading">The read loop. Errors are not reported while it has a problem.</param>
    public MaintenanceLoop(RedisConsumer consumer, string purpose, TimeSpan period, RedisReadLoop reading)
    {
        this.consumer = consumer;
        this.purpose = purpose;
        this.period = period;
        var retryDelay = period < MaxRetryDelay ? period : MaxRetryDelay;
        var name = consumer.Subscription.Name;
        supervisor = new SupervisedLoop(
            $"{name}: {purpose}",
            consumer.Time,
            consumer.Log,
            (logger, _, error) => logger.MaintenanceFails(name, purpose, error))
        {
            // Both are equal: the delay between the retries of a failed action does not grow.
            FirstDelay = retryDelay,
            MaxDelay = retryDelay,
            IsReportedElsewhere = error => RedisErrors.IsOutage(error) || RedisErrors.IsGroupMissing(error) || reading.Problem is not null,
        };
    }

    /// <summary>The problem that an operator should look at; null if there is none.</summary>
    public string? Problem => supervisor.LastError is { } error
        ? $"The subscription '{consumer.Subscription.Name}' cannot {purpose}: {error.Message}"
        : null;

    public Task RunAsync(Func<CancellationToken, Task> action, CancellationToken stop) => supervisor.RepeatAsync(action, period, stop);
}
