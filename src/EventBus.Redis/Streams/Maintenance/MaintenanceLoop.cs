using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Repeats one action that keeps a subscription in order. The read loop reports outages and other errors that concern
/// Redis as a whole; the health check reports all other errors until the action succeeds.
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
    /// <param name="purpose">The purpose of the action, for the log and the health check: "cannot ...".</param>
    /// <param name="period">The time to wait before the action is repeated. After a failure, at most 2 seconds.</param>
    /// <param name="reading">The read loop. Failures are not reported while it reports a problem.</param>
    public MaintenanceLoop(RedisConsumer consumer, string purpose, TimeSpan period, RedisReadLoop reading)
    {
        (this.consumer, this.purpose, this.period) = (consumer, purpose, period);
        var retryDelay = period < MaxRetryDelay ? period : MaxRetryDelay;
        var name = consumer.Subscription.Name;
        supervisor = new SupervisedLoop(
            $"{name}: {purpose}",
            consumer.Time,
            consumer.Log,
            (logger, _, error) => logger.MaintenanceFails(name, purpose, error))
        {
            FirstDelay = retryDelay,
            MaxDelay = retryDelay,
            IsReportedElsewhere = error => RedisErrors.IsOutage(error) || RedisErrors.IsGone(error) || reading.Problem is not null,
        };
    }

    /// <summary>The problem that an operator should look at; null if there is none.</summary>
    public string? Problem => supervisor.LastError is { } error
        ? $"The subscription '{consumer.Subscription.Name}' cannot {purpose}: {error.Message}"
        : null;

    public Task RunAsync(Func<CancellationToken, Task> action, CancellationToken stop) => supervisor.RepeatAsync(action, period, stop);
}
