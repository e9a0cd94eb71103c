using EventBus.Stores;

namespace EventBus;

/// <summary>Waits until a saga has ended or needs attention, and returns its result. Thread-safe.</summary>
internal sealed class SagaResultWaiter(SagaComponents parts, EventBusOptions options, BusServices services)
{
    private readonly StoreCalls calls = new(options.PublishTimeout, services.StoreTime);

    public async Task<SagaResult<TState>> WaitAsync<TState>(string id, CancellationToken cancellationToken)
        where TState : notnull
    {
        var saga = parts.Catalog.Get(typeof(TState));
        while (true)
        {
            // Registered before the read, so that an end after it is not missed.
            using var waiter = parts.Waiters.Wait(id);
            var entry = await calls.AskAsync(token => parts.Store.FindAsync(id, token), "find a saga", cancellationToken)
                ?? throw new ArgumentException($"There is no saga '{id}', or it is no longer kept.", nameof(id));
            if (entry.Saga != saga.Definition.Name)
            {
                throw new ArgumentException($"The saga '{id}' is a '{entry.Saga}', whose state is not {typeof(TState)}.", nameof(id));
            }

            if (SagaInfoMapper.IsAtRest(entry))
            {
                return await SagaInfoMapper.ResultAsync<TState>(entry, saga.Runner.ReadAsync);
            }

            await WaitForChangeAsync(id, waiter.Ended, cancellationToken);
        }
    }

    /// <summary>
    /// Waits for a signal from this process, but at most for the poll interval, because another instance may end the
    /// saga.
    /// </summary>
    private async Task WaitForChangeAsync(string id, Task ended, CancellationToken cancellationToken)
    {
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, services.Abort);
        try
        {
            await ended.WaitAsync(parts.Store.PollInterval, services.StoreTime, linked.Token);
        }
        catch (TimeoutException)
        {
            // Another instance may have ended the saga, so the caller reads it again.
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new EventBusException($"The bus stops before the saga '{id}' has ended. The saga continues when an instance runs again, "
                + "if its store is durable; wait for it again with its id.");
        }
    }
}
