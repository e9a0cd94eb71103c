namespace EventBus;

/// <summary>Implements <see cref="ISubscriptionManager"/> for the container.</summary>
internal sealed class SubscriptionManager(BusClient client) : ISubscriptionManager
{
    public Task<IReadOnlyList<SubscriptionInfo>> ListAsync(CancellationToken cancellationToken = default) =>
        client.CallerContext.EnterAsync<IReadOnlyList<SubscriptionInfo>>(async () =>
        {
            var engine = client.RunningEngine();
            var listed = new List<SubscriptionInfo>();
            foreach (var worker in engine.Workers.Values.OrderBy(worker => worker.Name, StringComparer.Ordinal))
            {
                listed.Add(new SubscriptionInfo
                {
                    Name = worker.Name,
                    Events = [.. worker.Patterns.Select(pattern => pattern.ToString())],
                    IsPaused = worker.Pause.IsPaused,
                    Problem = worker.Problem,
                    Waiting = await CountWaitingAsync(engine, worker, cancellationToken),
                });
            }

            return listed;
        });

    public Task PauseAsync(string subscription, CancellationToken cancellationToken = default) => ChangeAsync(subscription, (engine, worker) =>
    {
        if (worker.Pause.TryPause())
        {
            engine.Log.PausedByOperator(worker.Name);
        }
    });

    public Task ResumeAsync(string subscription, CancellationToken cancellationToken = default) => ChangeAsync(subscription, (engine, worker) =>
    {
        if (worker.Pause.TryResume())
        {
            engine.Log.ResumedByOperator(worker.Name);
            engine.Wake();
        }
    });

    public Task RetireAsync(string subscription, bool discardWaiting = false, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(subscription);
        return client.CallerContext.EnterAsync(async () =>
        {
            var engine = client.RunningEngine();
            if (engine.HasSubscription(subscription))
            {
                throw new ArgumentException(
                    $"The subscription '{subscription}' is still in use here. Remove its Subscribe call and start the application again; then retire it.",
                    nameof(subscription));
            }

            await engine.RetireAsync(subscription, discardWaiting, cancellationToken);
        });
    }

    private Task ChangeAsync(string subscription, Action<BusEngine, SubscriptionWorker> change)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(subscription);
        return client.CallerContext.EnterAsync(() =>
        {
            var engine = client.RunningEngine();
            if (!engine.Workers.TryGetValue(subscription, out var worker))
            {
                var names = string.Join(", ", engine.Workers.Keys.Order(StringComparer.Ordinal).Select(name => $"'{name}'"));
                throw new ArgumentException(
                    $"This instance does not consume a subscription '{subscription}'. It consumes {(names.Length > 0 ? names : "none")}.", nameof(subscription));
            }

            change(engine, worker);
            return Task.CompletedTask;
        });
    }

    /// <summary>Counts the events that wait on the backend; null if it does not report them, or not now.</summary>
    private static async Task<long?> CountWaitingAsync(BusEngine engine, SubscriptionWorker worker, CancellationToken cancellationToken)
    {
        if (engine.Transport.Features.CountsWork)
        {
            return worker.WaitingCount;
        }

        try
        {
            return (await engine.Transport.FindKeptAsync(engine.ServiceName, worker.Name, cancellationToken))?.Waiting;
        }
        catch (EventBusException)
        {
            return null;
        }
    }
}
