using System.Runtime.ExceptionServices;
using EventBus.Stores;

namespace EventBus;

/// <summary>
/// One write that its caller repeats until the store accepts it. The caller makes each attempt, reports each failure,
/// and disposes the write when it is done.
/// </summary>
/// <remarks>
/// While the write is held, the caller's slot is lent, so that retries continue; they may be what makes room in a full
/// store. The pumps of the bus, or only of the subscription, take no new deliveries meanwhile, so that no more writes
/// are held than deliveries were in flight.
/// </remarks>
/// <param name="writer">Holds the write after its first failure.</param>
/// <param name="subject">The event that the write concerns.</param>
/// <param name="slots">The limiter in which the caller holds a slot.</param>
/// <param name="forms">The number of forms of the write.</param>
/// <param name="services">The log and the abort token.</param>
internal sealed class DurableWrite(
    DurableWriter writer, WriteSubject subject, ConcurrencyLimiter slots, int forms, BusServices services) : IAsyncDisposable
{
    private RepeatedWrite? repeated;
    private bool hasFailed;

    /// <summary>The index of the form to write now; 0 for the first.</summary>
    public int Form => repeated?.Form ?? 0;

    /// <summary>Waits after a failed attempt. Completes when the caller may try again.</summary>
    /// <exception cref="StoreRefusedException">
    /// The store does not accept this write, and there is no alternative.
    /// </exception>
    /// <exception cref="Exception">
    /// The error itself, or <see cref="OperationCanceledException"/>: the bus stops, or an effect of a handler failed.
    /// </exception>
    public async Task RepeatAsync(Exception error)
    {
        hasFailed = true;
        if (error is EffectException || services.Abort.IsCancellationRequested)
        {
            ExceptionDispatchInfo.Throw(error);
        }

        if (repeated is null)
        {
            repeated = writer.Hold(subject, slots, forms);
            slots.Lend();
        }

        await repeated.NextAsync(error);
        hasFailed = false;
    }

    /// <summary>Waits after a failed attempt of an optional write, as <see cref="RepeatAsync"/> does.</summary>
    /// <returns>False if the store does not accept the write: it is skipped and logged.</returns>
    public async Task<bool> TryRepeatAsync(Exception error)
    {
        try
        {
            await RepeatAsync(error);
            return true;
        }
        catch (StoreRefusedException exception)
        {
            services.Log.StepLeftOut(subject.Subscription, subject.EventName, subject.EventId, exception);
            return false;
        }
    }

    /// <summary>Ends the write. Completes when the caller has a slot again.</summary>
    public async ValueTask DisposeAsync()
    {
        if (repeated is not null)
        {
            repeated.End(isWritten: !hasFailed);
            await slots.TakeBackAsync(services.Abort);
        }
    }
}
