using EventBus.Transports;

namespace EventBus;

/// <summary>
/// Keeps a consumer running: prepares the group, consumes, and replaces a consumer that cannot go on, with backoff.
/// </summary>
/// <param name="context">What the receiver is for.</param>
/// <param name="records">The records of the receiver.</param>
/// <param name="state">What is reported.</param>
internal sealed class ConsumerSupervisor(ReceiverContext context, UnackedRecords records, ReceiverState state)
{
    private readonly TaskCompletionSource live = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource joined = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TopicDiscovery discovery = new(context);
    private readonly StartOffsets starts = new(context);
    private readonly ReplayRequests replays = new(context);
    private readonly SupervisedLoop supervisor = new(
        $"receiving for {context.Name}",
        context.Time,
        context.Log,
        (log, delay, exception) => log.ConsumerReplaced(context.Name, KafkaErrors.CauseOf(exception)!, delay, exception));

    /// <summary>The topics that are read.</summary>
    public IReadOnlyList<string> Topics => discovery.Topics;

    /// <summary>Why nothing is received, as a sentence; null if the consumer runs.</summary>
    public string? Failure => KafkaErrors.CauseOf(supervisor.LastError);

    /// <summary>Completes when the group has given a partition to this instance for the first time.</summary>
    public Task Joined => joined.Task;

    /// <summary>Runs until it is stopped. Never throws.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        await Task.WhenAll(
            supervisor.RunAsync(ConsumeAsync, stop),
            discovery.IsNeeded ? DiscoverAsync(stop) : Task.CompletedTask);
        replays.Stop();
    }

    /// <summary>
    /// Ends the present consumer, moves the positions of the group back, and begins the next consumer there.
    /// </summary>
    /// <param name="start">Where the replay begins.</param>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>The number of the replay.</returns>
    /// <exception cref="EventBusException">Nothing was moved, or there was no answer in time.</exception>
    public Task<long> ReplayAsync(ReplayStart start, CancellationToken cancellationToken) =>
        replays.RequestAsync(start, records.InterruptWait, cancellationToken);

    /// <summary>
    /// Waits until the positions of the group are set, at most for the call timeout. Throws if the cluster refuses the
    /// subscription, and, if the application must not start without the cluster, if it is unreachable.
    /// </summary>
    /// <param name="cancellationToken">Cancels the wait.</param>
    /// <returns>False if the cluster is unreachable.</returns>
    /// <exception cref="EventBusException">See above.</exception>
    public async Task<bool> WaitUntilLiveAsync(CancellationToken cancellationToken)
    {
        try
        {
            using var limit = cancellationToken.WithTimeout(context.Options.CallTimeout, context.Time);
            await Task.WhenAny(live.Task, supervisor.Failed).WaitAsync(limit.Token);

            // After a failure a further attempt may succeed within the timeout, but not after a refusal. Without the
            // cluster the application starts all the same, if it may: it becomes live as soon as the cluster answers.
            if (!IsRefusal && (context.Names.FailFast || !IsOutOfReach))
            {
                await live.Task.WaitAsync(limit.Token);
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // The timeout is handled below.
        }

        if (!live.Task.IsCompletedSuccessfully && (context.Names.FailFast || IsRefusal))
        {
            var error = supervisor.LastError;
            throw new EventBusException(
                $"The subscription '{context.Name}' cannot read from Kafka at {context.Connector.Address}: "
                    + $"{KafkaErrors.CauseOf(error) ?? "it gave no answer."} Check that the cluster runs, and that the user may read "
                    + $"the topics {string.Join(", ", Topics)} and the group '{context.Group}'.",
                error);
        }

        return live.Task.IsCompletedSuccessfully;
    }

    private bool IsOutOfReach => supervisor.LastError is TimeoutException
        || KafkaErrors.ErrorsOf(supervisor.LastError).Any(error => error.IsLocalError);

    private bool IsRefusal => KafkaErrors.ErrorsOf(supervisor.LastError).Any(KafkaErrors.IsRefusal);

    private async Task ConsumeAsync(CancellationToken stop)
    {
        do
        {
            var topics = await discovery.FindAsync(stop);
            await starts.PinAsync(topics, topic => context.Names.IsNamed(context.Subscription, topic), stop);
            live.TrySetResult();
            await replays.RunPendingAsync(start => new ReplayMove(context).RunAsync(start, discovery.Topics, stop));
        }
        while (await RunSessionAsync(stop));
    }

    /// <summary>
    /// Runs a session until it ends. Returns true if it was ended for a replay, so that another one follows.
    /// </summary>
    private async Task<bool> RunSessionAsync(CancellationToken stop)
    {
        using var end = replays.BeginSession(stop);
        try
        {
            var session = new ConsumerSession(context, records, discovery, state) { Joined = joined };
            await KafkaThreads.RunAsync(
                $"consumer of {context.Name}",
                () =>
                {
                    session.Run(supervisor.Succeeded, end.Token, stop);
                    return true;
                });
            return end.IsCancellationRequested && !stop.IsCancellationRequested;
        }
        finally
        {
            replays.EndSession();
        }
    }

    private Task DiscoverAsync(CancellationToken stop) => new SupervisedLoop(
        $"finding topics for {context.Name}",
        context.Time,
        context.Log,
        (log, delay, exception) => log.TopicsNotFound(context.Name, delay, KafkaErrors.CauseOf(exception)!, exception))
        .RepeatAsync(discovery.FindAsync, context.Options.DiscoveryPeriod, stop);
}
