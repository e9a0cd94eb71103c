namespace EventBus;

/// <summary>
/// The options of all sagas of a bus (<see cref="EventBusOptions.Sagas"/>). Checked when the bus starts.
/// </summary>
public sealed class SagaOptions
{
    /// <summary>
    /// The number of sagas that this instance runs concurrently. Sagas that wait for a retry or a reply do not count.
    /// Default 64; 1 to 10,000.
    /// </summary>
    [AllowedRange(1, 10_000)]
    public int Concurrency { get; set; } = 64;

    /// <summary>
    /// The time after which an attempt of a step or a compensation counts as failed, in doubt. Default 1 min; 10 ms to
    /// 1 day.
    /// </summary>
    [AllowedRange("00:00:00.01", "1.00:00:00")]
    public TimeSpan StepTimeout { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>
    /// The retention time of an ended saga. During this time, a copy of its start does not start the id again, and late
    /// replies are recognised as late. Default 7 days; 1 min to 10 years.
    /// </summary>
    [AllowedRange("00:01:00", "3653.00:00:00")]
    public TimeSpan Retention { get; set; } = TimeSpan.FromDays(7);

    /// <summary>
    /// True if the events <c>saga.step.completed</c>, <c>saga.completed</c> and <c>saga.failed</c> are published.
    /// Default true.
    /// </summary>
    public bool PublishEvents { get; set; } = true;

    /// <summary>
    /// The address of a page that shows a saga, which the alerts and the critical log entry of a saga contain.
    /// <c>{id}</c> (of the saga), <c>{subscription}</c> (the name of the saga) and <c>{service}</c> are replaced. It
    /// must contain no secret. Default null: they contain only the call (<see cref="DeadLetterAlert.FindCall"/>).
    /// </summary>
    [LinkTemplate]
    public string? Link { get; set; }
}
