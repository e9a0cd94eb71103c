using EventBus.Stores;
using EventBus.Transports;

namespace EventBus;

/// <summary>Repeats the save of a saga for as long as the store is unavailable. Thread-safe.</summary>
/// <param name="refusals">Determines whether a failed save concerns only its saga.</param>
/// <param name="services">The clock and the log.</param>
/// <param name="closing">Cancelled when the bus closes.</param>
internal sealed class SagaSaveRetry(SagaRefusals refusals, BusServices services, CancellationToken closing)
{
    // Names the saves in the log.
    private const string Activity = "saves of sagas";

    private static readonly Backoff RetryDelays = new(TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(5));

    // The number of writes that wait because the store accepts no writes.
    private int heldWrites;

    /// <summary>True if at least one write waits because the store does not accept it.</summary>
    public bool StoreIsDown => Volatile.Read(ref heldWrites) > 0;

    /// <summary>Saves a saga, and tries again after a failure.</summary>
    /// <param name="leased">The saga.</param>
    /// <param name="save">Makes one attempt.</param>
    /// <exception cref="SagaLeaseLostException">Another instance has claimed it.</exception>
    /// <exception cref="StoreRefusedException">The store accepts other writes but not this one.</exception>
    /// <exception cref="OperationCanceledException">The bus closed before the store accepted the write.</exception>
    public async Task RunAsync(LeasedSaga leased, Func<Task> save)
    {
        var attempt = 0;

        // The number of attempts that failed although the store accepted another write.
        var refusedAttempts = 0;
        while (true)
        {
            attempt++;
            try
            {
                await save();
                services.Log.Working(Activity);
                return;
            }
            catch (Exception exception) when (exception is not SagaLeaseLostException && !closing.IsCancellationRequested)
            {
                var delay = RetryDelays.After(attempt);
                LogNotSaved(leased, attempt, delay, exception);
                var concernsEntry = await refusals.ConcernsEntryAsync(leased.Entry, exception);
                if (concernsEntry)
                {
                    refusedAttempts++;
                    if (exception is StoreRefusedException)
                    {
                        throw;
                    }

                    if (refusedAttempts == SagaRefusals.FailuresUntilRefused)
                    {
                        throw new StoreRefusedException(
                            StoreScope.Entry,
                            $"The store accepts other sagas, but not this one ({exception.GetType()}).",
                            exception);
                    }
                }

                await WaitAsync(delay, isHeld: !concernsEntry);
            }
        }
    }

    private void LogNotSaved(LeasedSaga leased, int attempt, TimeSpan delay, Exception exception) =>
        services.Log.Failing(
            Activity,
            exception,
            logger => logger.SagaNotSaved(leased.Definition.Name, leased.Id, attempt, delay, exception));

    /// <summary>Waits for the next attempt.</summary>
    /// <param name="delay">The time to wait.</param>
    /// <param name="isHeld">True if the store accepts no writes, so that the waiting write counts as held.</param>
    private async Task WaitAsync(TimeSpan delay, bool isHeld)
    {
        var held = isHeld ? 1 : 0;
        Interlocked.Add(ref heldWrites, held);
        try
        {
            await Task.Delay(delay, services.StoreTime, closing);
        }
        finally
        {
            Interlocked.Add(ref heldWrites, -held);
        }
    }
}
