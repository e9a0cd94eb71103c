using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Processes leased sagas in the background, and renews their leases. Marks a saga that cannot continue as needing
/// attention. Thread-safe.
/// </summary>
internal sealed class SagaDriver(SagaSlots slots, SagaLeaseRenewer leases, SagaRefusals refusals, WakeSignal due, BusServices services)
{
    /// <summary>Processes a saga that this instance has claimed and reserved a slot for.</summary>
    public void Start(SagaRuntime saga, LeasedSaga leased)
    {
        leases.Hold(leased);
        services.Runner.Observe(services.Runner.Start($"saga {leased.Id}", async () =>
        {
            try
            {
                await ExecuteAsync(saga, leased);
            }
            finally
            {
                leases.Release(leased);
                FreeSlot(leased.Id);
            }
        }));
    }

    /// <summary>Frees the slot of a saga, and wakes the loop of due sagas, which may use it for another one.</summary>
    public void FreeSlot(string id)
    {
        slots.Release(id);
        due.Pulse();
    }

    /// <summary>
    /// Delays a saga whose claim failed. Marks it as needing attention once it is certain that the store accepts the
    /// writes of other sagas.
    /// </summary>
    public async Task DelayAsync(SagaRuntime saga, SagaEntry entry, Exception exception)
    {
        if (await refusals.RecordAsync(entry, exception))
        {
            // The stored saga is marked, so the progress and the end of the lease are not used.
            var notLeased = new LeasedSaga(saga.Definition, entry, new SagaProgress(), services.StoreTime.GetUtcNow());
            await HaltAsync(saga, notLeased, exception);
        }
    }

    private async Task ExecuteAsync(SagaRuntime saga, LeasedSaga leased)
    {
        try
        {
            await saga.Executor.ExecuteAsync(leased);
        }
        catch (SagaLeaseLostException)
        {
            services.Log.SagaLost(saga.Definition.Name, leased.Id);
        }
        catch (OperationCanceledException) when (services.Abort.IsCancellationRequested)
        {
            // The bus aborts. The lease ends, and another instance continues.
        }
        catch (Exception exception)
        {
            await HaltAsync(saga, leased, exception);
        }
    }

    /// <summary>
    /// Marks a saga that cannot continue as needing attention. If that write fails too, the saga stays as it is, and is
    /// tried again after its lease has ended.
    /// </summary>
    private async Task HaltAsync(SagaRuntime saga, LeasedSaga leased, Exception exception)
    {
        try
        {
            await saga.Errors.HaltAsync(leased, exception);
            refusals.RecordAccepted(leased.Id);
        }
        catch (Exception refusal) when (!refusals.IsClosing)
        {
            await refusals.RecordAsync(leased.Entry, refusal);
        }
    }
}
