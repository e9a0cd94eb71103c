namespace EventBus;

/// <summary>
/// Repeats writes to a store until the store accepts them. Distinguishes three failures: the store accepts no write, it
/// has no room for a subscription, or it cannot accept this entry. Thread-safe.
/// </summary>
/// <remarks>
/// A store may report the kind of failure (<see cref="Stores.StoreRefusedException"/>). After any other exception, a
/// probe writes something unrelated. When the write fails several times in a row between two probes that succeed, the
/// write is at fault. A timeout or a lost connection says nothing about the write until the store has answered all
/// probes for some time. The probe after a write runs after the backoff: if a write breaks its own connection, the
/// store is not down.
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
    /// The number of forms of the write. All but the first are alternatives for when the store cannot accept it.
    /// </param>
    public DurableWrite Begin(WriteSubject subject, ConcurrencyLimiter slots, int forms = 1) => new(this, subject, slots, forms, services);

    /// <summary>Holds a write that has failed.</summary>
    public RepeatedWrite Hold(WriteSubject subject, ConcurrencyLimiter slots, int forms) =>
        new(subject, forms, new HeldWrite(subject, Intake, slots.Intake, services.Log), probes, services);
}
