namespace EventBus;

/// <summary>
/// Repeats writes to a store until the store accepts them. Distinguishes three failures: the store accepts no write, it
/// has no room for a subscription, or it cannot accept this entry. Thread-safe.
/// </summary>
/// <remarks>
/// A store may report the kind of failure with a <see cref="Stores.StoreRefusedException"/>. After any other exception,
/// the writer finds out the kind: before each further attempt it probes the store with an unrelated write. If the write
/// fails several times in a row although the probes before and after it succeed, the write itself is the cause. A
/// timeout or a lost connection counts as such a failure only if the probes have succeeded for some time. The probes
/// that count follow the backoff, because the failed write may have broken the connection.
/// </remarks>
internal sealed class DurableWriter(BusServices services)
{
    private readonly SharedProbes probes = new(services);

    /// <summary>
    /// Closed while at least one write is held because the store accepts no writes. The limiter of each subscription
    /// has a gate within this one.
    /// </summary>
    public IntakeGate Intake { get; } = new();

    /// <summary>True if at least one write is held because the store accepts no writes.</summary>
    public bool StoreIsDown => Intake.IsClosed;

    /// <summary>Begins a write. The caller makes the attempts itself, and disposes the write when it is done.</summary>
    /// <param name="subject">The event that the write concerns.</param>
    /// <param name="slots">The limiter in which the caller holds a slot.</param>
    /// <param name="forms">
    /// The number of forms of the write: the complete one, and reduced ones that are written if the store cannot accept
    /// it.
    /// </param>
    public DurableWrite Begin(WriteSubject subject, ConcurrencyLimiter slots, int forms = 1) => new(this, subject, slots, forms, services);

    /// <summary>
    /// Begins to hold a write whose first attempt has failed: blocks new deliveries until the write has ended.
    /// </summary>
    public RepeatedWrite Hold(WriteSubject subject, ConcurrencyLimiter slots, int forms) =>
        new(subject, forms, new HeldWrite(subject, Intake, slots.Intake, services.Log), probes, services);
}
