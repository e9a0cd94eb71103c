using System.Runtime.ExceptionServices;
using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Represents one write that its caller repeats until the store accepts it. The caller makes each attempt, reports each
/// failure, and disposes this object when the write is done.
/// </summary>
/// <remarks>
/// From the first failure until its end the write is held. Meanwhile the caller lends its slot to retries, because a
/// retry that succeeds may make room in a full store. New deliveries do not begin: in any subscription if the whole
/// store fails, else in that of the event. So the number of held writes is limited by the deliveries and the claimed
/// entries that were already in progress.
/// </remarks>
/// <param name="writer">Holds the write after its first failure.</param>
/// <param name="subject">The event that the write concerns.</param>
/// <param name="slots">The limiter in which the caller holds a slot.</param>
/// <param name="forms">
/// The number of forms of the write: the complete one, and reduced ones that are written if the store cannot accept it.
/// </param>
/// <param name="services">The abort token.</param>
internal sealed class DurableWrite(
    DurableWriter writer, WriteSubject subject, ConcurrencyLimiter slots, int forms, BusServices services) : IAsyncDisposable
{
    // Null until the first failure.
    private RepeatedWrite? repeated;

    // True from a failed attempt until the caller may try again. At the end it is true if RepeatAsync threw: the caller
    // gave up, and nothing was written.
    private bool hasFailed;

    /// <summary>The index of the form to write now; 0 for the complete one.</summary>
    public int Form => repeated?.Form ?? 0;

    /// <summary>Waits after a failed attempt. Completes when the caller may try again.</summary>
    /// <exception cref="StoreRefusedException">
    /// The store does not accept this write, and the write has no reduced form.
    /// </exception>
    /// <exception cref="EffectException">The given error: an effect of the handler failed.</exception>
    /// <exception cref="OperationCanceledException">The bus stops during the wait.</exception>
    /// <exception cref="Exception">The given error, if the bus had stopped before.</exception>
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
