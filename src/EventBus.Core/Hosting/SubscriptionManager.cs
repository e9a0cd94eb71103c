namespace EventBus;

/// <summary>
/// Lists, pauses, resumes and replays the subscriptions of the running bus, and retires those that were removed from
/// the code.
/// </summary>
internal sealed class SubscriptionManager(BusClient client) : ISubscriptionManager
{
    public async Task<IReadOnlyList<SubscriptionInfo>> ListAsync(CancellationToken cancellationToken = default)
    {
        await client.CallerContext.Leave();
        var bus = client.Running();
        var listed = new List<SubscriptionInfo>();
        foreach (var worker in bus.Workers.All.OrderBy(worker => worker.Name, StringComparer.Ordinal))
        {
            listed.Add(new SubscriptionInfo
            {
                Name = worker.Name,
                Events = [.. worker.Patterns.Select(pattern => pattern.ToString())],
                IsPaused = worker.OperatorGate.IsClosed,
                Problem = worker.Problem,
                Waiting = await CountWaitingAsync(bus, worker, cancellationToken),
            });
        }

        return listed;
    }

    public Task PauseAsync(string subscription, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(subscription);
        return PauseCoreAsync(subscription);
    }

    public Task ResumeAsync(string subscription, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(subscription);
        return ResumeCoreAsync(subscription);
    }

    public Task RetireAsync(string subscription, bool discardWaiting = false, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(subscription);
        return RetireCoreAsync(subscription, discardWaiting, cancellationToken);
    }

    public Task<long> ReplayAsync(string subscription, ReplayStart start, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(subscription);
        ArgumentNullException.ThrowIfNull(start);
        return ReplayCoreAsync(subscription, start, cancellationToken);
    }

    private async Task<long> ReplayCoreAsync(string subscription, ReplayStart start, CancellationToken cancellationToken)
    {
        await client.CallerContext.Leave();
        var bus = client.Running();
        var worker = Find(bus, subscription);
        var number = await bus.Transport.ReplayAsync(worker.Name, start, cancellationToken);
        bus.Services.Log.ReplayedByOperator(worker.Name, number, start);
        return number;
    }

    private async Task PauseCoreAsync(string subscription)
    {
        await client.CallerContext.Leave();
        var bus = client.Running();
        var worker = Find(bus, subscription);
        if (worker.OperatorGate.TryClose("An operator has paused it."))
        {
            bus.Services.Log.PausedByOperator(worker.Name);
        }
    }

    private async Task ResumeCoreAsync(string subscription)
    {
        await client.CallerContext.Leave();
        var bus = client.Running();
        var worker = Find(bus, subscription);
        if (worker.OperatorGate.TryOpen())
        {
            bus.Services.Log.ResumedByOperator(worker.Name);
            bus.Recovery?.RetriesDue.Pulse();
        }
    }

    private async Task RetireCoreAsync(string subscription, bool discardWaiting, CancellationToken cancellationToken)
    {
        await client.CallerContext.Leave();
        var bus = client.Running();
        if (bus.Retirement.IsRegistered(subscription))
        {
            throw new ArgumentException(
                $"The subscription '{subscription}' is still registered in this application. Remove its Subscribe call and start the "
                    + "application again; then retire it.",
                nameof(subscription));
        }

        await bus.Retirement.RetireAsync(subscription, discardWaiting, cancellationToken);
    }

    private static SubscriptionWorker Find(BusComponents bus, string subscription)
    {
        if (bus.Workers.TryGet(subscription, out var worker))
        {
            return worker;
        }

        var names = string.Join(", ", bus.Workers.All.Select(known => $"'{known.Name}'").Order(StringComparer.Ordinal));
        throw new ArgumentException(
            $"This instance does not consume a subscription '{subscription}'. It consumes {(names.Length > 0 ? names : "none")}.",
            nameof(subscription));
    }

    /// <summary>
    /// Counts the events that wait on the backend; null if the backend does not report them or has no such queue, or
    /// cannot be asked at present.
    /// </summary>
    private static async Task<long?> CountWaitingAsync(BusComponents bus, SubscriptionWorker worker, CancellationToken cancellationToken)
    {
        // A transport that counts its work is in memory: its only queue is that of the worker.
        if (bus.Transport.Features.CountsWork)
        {
            return worker.WaitingCount;
        }

        try
        {
            return (await bus.Transport.FindQueueAsync(bus.ServiceName, worker.Name, cancellationToken))?.Waiting;
        }
        catch (EventBusException)
        {
            return null;
        }
    }
}
