using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Repeats writes to a store until the store accepts them. Distinguishes three failures: the store accepts no write, it
/// has no room for a subscription, or it cannot accept this entry. Thread-safe.
/// </summary>
/// <remarks>
/// A store may report the kind of failure with a <see cref="StoreRefusedException"/>. After any other exception, the
/// writer finds out the kind: before each further attempt it probes the store with an unrelated write. If the write
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

    /// <summary>Calls the store until it accepts the call.</summary>
    /// <param name="subject">The event that the call concerns.</param>
    /// <param name="slots">The limiter in which the caller holds a slot.</param>
    /// <param name="call">The call.</param>
    /// <param name="stored">
    /// Set when the store has accepted the call; this may be long before the caller has a slot again.
    /// </param>
    /// <exception cref="StoreRefusedException">The store does not accept this call.</exception>
    /// <exception cref="OperationCanceledException">The bus stops before the store accepted the call.</exception>
    public async Task<T> WriteAsync<T>(
        WriteSubject subject, ConcurrencyLimiter slots, Func<ValueTask<T>> call, TaskCompletionSource? stored = null)
    {
        await using var write = Begin(subject, slots);
        return await RepeatAsync(write, call, stored);
    }

    /// <summary>
    /// Makes an optional call, like <see cref="WriteAsync{T}"/>. If the store refuses the call, logs that and leaves it
    /// out.
    /// </summary>
    /// <returns>The default value if the store refuses the call.</returns>
    public async Task<T?> TryWriteAsync<T>(
        WriteSubject subject, ConcurrencyLimiter slots, Func<ValueTask<T>> call, TaskCompletionSource? stored = null)
    {
        // Logged before the write ends, because the wait for a slot may be long or be cancelled by the stop.
        await using var write = Begin(subject, slots);
        try
        {
            return await RepeatAsync(write, call, stored);
        }
        catch (StoreRefusedException exception)
        {
            services.Log.StepLeftOut(subject.Subscription, subject.EventName, subject.EventId, exception);
            return default;
        }
    }

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

    private static async Task<T> RepeatAsync<T>(DurableWrite write, Func<ValueTask<T>> call, TaskCompletionSource? stored)
    {
        while (true)
        {
            try
            {
                var result = await call();
                stored?.TrySetResult();
                return result;
            }
            catch (Exception exception)
            {
                await write.RepeatAsync(exception);
            }
        }
    }
}
