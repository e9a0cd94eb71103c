namespace EventBus;

/// <summary>The settings of all sagas of a bus, <see cref="EventBusOptions.Sagas"/>. Checked when the bus starts.</summary>
public sealed class SagaOptions
{
    /// <summary>How many sagas this instance works on at once; those that wait for a retry or a reply do not count. Default 64; 1 to 10,000.</summary>
    public int Concurrency { get; set; } = 64;

    /// <summary>How long one run of a step, or of a compensation, may take before it counts as failed, in doubt. Default 1 min; 10 ms to 1 day.</summary>
    public TimeSpan StepTimeout { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>How long a saga that has ended is kept: as long as its id is not started again by a copy, and late replies are recognised as such. Default 7 days; 1 min to 10 years.</summary>
    public TimeSpan Retention { get; set; } = TimeSpan.FromDays(7);

    /// <summary>Whether <c>saga.step.completed</c>, <c>saga.completed</c> and <c>saga.failed</c> are published. Default true.</summary>
    public bool PublishEvents { get; set; } = true;
}
