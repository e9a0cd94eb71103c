using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using EventBus.Transports;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace EventBus;

/// <summary>
/// Implements a transport over Redis Streams, with one stream for each first word of the event names and one consumer
/// group for each subscription.
/// </summary>
internal sealed class RedisTransport(RedisConnector connector, RedisOptions options, ILogger log) : Transport
{
    private static readonly TimeSpan PingTimeout = TimeSpan.FromMilliseconds(900);
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan RetireTimeout = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan LimitPeriod = TimeSpan.FromSeconds(10);

    // The size is bounded by the number of event names in the application.
    private readonly ConcurrentDictionary<string, RedisKey> streams = new(StringComparer.Ordinal);
    private readonly Lock gate = new();
    private volatile RedisReceiver[] receivers = [];
    private IConnectionMultiplexer? connection;
    private readonly CancellationTokenSource stop = new();
    private RedisStreamCatalog? directory;
    private RedisTrimmer? trimmer;
    private Task trimming = Task.CompletedTask;
    private RedisTopology? names;
    private RedisWriteQueue? sending;
    private bool failFast;

    // The maximum length of one argument, as last reported by the server.
    private long limit = RedisArgumentLimit.Usual;
    private long askedAt;

    public override TransportFeatures Features { get; } = new()
    {
        System = "redis",
        Durable = true,
        Ordered = true,
        Redelivers = true,
        SharesSubscriptions = true,

        // Far below the limit of Redis for one value (512 MB): a whole batch must be transferred within the timeout of
        // one answer.
        MaxBodyBytes = 16 * 1024 * 1024,
    };

    internal IConnectionMultiplexer Connection => connection ?? throw new InvalidOperationException("The transport was not started.");

    private RedisWriteQueue Sending => sending ?? throw new InvalidOperationException("The transport was not started.");

    private RedisStreamCatalog Directory => directory ?? throw new InvalidOperationException("The transport was not started.");

    private RedisTopology Names => names ?? throw new InvalidOperationException("The transport was not started.");

    public override async ValueTask StartAsync(TransportTopology topology, CancellationToken cancellationToken)
    {
        (names, failFast) = (new RedisTopology(options, topology), topology.FailFast);
        connection = await connector.ShareAsync(failFast, cancellationToken);
        sending = new RedisWriteQueue(connection.GetDatabase());
        connection.ConnectionRestored += AskLimitAgain;
        await (connection.IsConnected ? AskLimitAsync(cancellationToken) : Task.CompletedTask);
        directory = new RedisStreamCatalog(connection.GetDatabase(), names, log);
        trimmer = new RedisTrimmer(connection.GetDatabase(), directory, () => streams.Values.Distinct(), names, options, log);
        trimming = trimmer.RunAsync(stop.Token);
    }

    public override ValueTask PublishAsync(ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline)
    {
        if (deadline.IsCancellationRequested)
        {
            outcomes.Span.Fill(PublishOutcome.Failed(new TimeoutException("The time was up before the event was sent.")));
            return ValueTask.CompletedTask;
        }

        return batch.Length == 1 ? PublishOneAsync(batch.Span[0], outcomes, deadline) : PublishTogetherAsync(batch, outcomes, deadline);
    }

    public override async ValueTask<Receiver> SubscribeAsync(Subscription subscription, CancellationToken cancellationToken)
    {
        var group = new RedisGroup(Connection.GetDatabase(), Names.GroupOf(subscription), RedisTopology.NewConsumer(), Names.StreamsOf(subscription));
        var place = new RedisGroupPositions(group, RedisTopology.IsOpen(subscription), Directory, Names, log);
        var blocking = new RedisBlockingConnection(connector);
        bool live;
        try
        {
            // Both run concurrently. If Redis is unreachable, the receiver opens the connection later.
            var opening = Connection.IsConnected ? blocking.OpenAsync() : Task.CompletedTask;
            live = await TryCreateAsync(group, place, cancellationToken);
            await (live ? opening : Task.CompletedTask).WaitAsync(cancellationToken);
        }
        catch
        {
            _ = blocking.CloseAsync();
            throw;
        }

        var receiver = new RedisReceiver(new RedisConsumer(subscription, group, Names, options.ClaimAfter, log) { Connector = connector, Blocking = blocking, Bulk = new RedisBlockingConnection(connector), Place = place });
        receiver.Start(live);
        lock (gate)
        {
            receivers = [.. receivers.Where(each => !each.IsStopping), receiver];
        }

        return receiver;
    }

    public override async ValueTask RetireAsync(string subscription, bool discardWaiting, CancellationToken cancellationToken)
    {
        try
        {
            await new RedisRetirement(Connection.GetDatabase(), Directory, Names, options.ClaimAfter).RetireAsync(subscription, discardWaiting, cancellationToken).WaitAsync(RetireTimeout, Names.Time, cancellationToken);
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException)
        {
            throw new EventBusException($"Redis did not remove the consumer group of the subscription '{subscription}': {exception.Message} Try again.", exception);
        }
    }

    public override async ValueTask<(int Count, TimeSpan DeadFor)?> CountOthersAsync(string subscription, CancellationToken cancellationToken) =>
        Array.Find(receivers, each => !each.IsStopping && each.Subscription == subscription) is { } receiver ? await receiver.CountOthersAsync(cancellationToken) : null;

    public override async ValueTask<TransportHealth> CheckHealthAsync(CancellationToken cancellationToken)
    {
        try
        {
            await RedisConnector.PingAsync(Connection).WaitAsync(PingTimeout, Names.Time, cancellationToken);
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            return new TransportHealth(TransportState.Unhealthy, "Redis does not answer. Events cannot be published or received until it does.");
        }

        if (Array.Find(receivers, each => !each.IsStopping && each.Complaint is not null) is { } deaf)
        {
            return new TransportHealth(TransportState.Unhealthy, $"The subscription '{deaf.Subscription}' receives nothing: {deaf.Complaint}");
        }

        var remark = receivers.Where(each => !each.IsStopping).Select(each => each.Remark).FirstOrDefault(each => each is not null);
        return ((remark ?? directory?.Complaint ?? trimmer?.Complaint) is { } complaint ? new TransportHealth(TransportState.Degraded, complaint) : TransportHealth.Healthy) with { Data = trimmer?.Data ?? TransportHealth.Healthy.Data };
    }

    public override async ValueTask DisposeAsync()
    {
        if (connection is not null)
        {
            connection.ConnectionRestored -= AskLimitAgain;
            connection = null;
            await stop.CancelAsync();
            await trimming.WaitAsync(StopTimeout, Names.Time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            stop.Dispose();
            await connector.ReleaseAsync();
        }
    }

    /// <summary>Creates the group where it is missing. After a degraded start the receiver creates it later.</summary>
    /// <returns>True if the group exists.</returns>
    private async Task<bool> TryCreateAsync(RedisGroup group, RedisGroupPositions place, CancellationToken cancellationToken)
    {
        if (!failFast && !Connection.IsConnected)
        {
            // The application's connection may queue a command that it cannot send.
            return false;
        }

        try
        {
            await place.CreateAsync(existed: false, cancellationToken);
            return true;
        }
        catch (Exception exception) when (!failFast && exception is RedisException or TimeoutException && !RedisConnector.IsRefusal(exception) && !RedisErrors.IsWrongType(exception))
        {
            return false;
        }
        catch (Exception exception) when (exception is RedisException or TimeoutException)
        {
            var fix = RedisErrors.IsWrongType(exception) ? " One of these keys is not a stream: rename it, or delete it."
                : RedisConnector.IsRefusal(exception) ? $" The user needs the keys '{Names.AnyStream}' and the commands of streams, sets, hashes, keys and scripts: ACL SETUSER ... ~{Names.AnyStream} +@stream +@set +@hash +@string +@keyspace +@scripting +@transaction +@connection +info."
                : "";
            throw new EventBusException($"Redis did not create the consumer group '{group.Name}' of {string.Join(", ", group.Streams.Select(stream => $"'{stream}'"))}: {exception.Message}{fix}", exception);
        }
    }

    // Reuses the state of publish calls.
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private async ValueTask PublishOneAsync(Envelope envelope, Memory<PublishOutcome> outcomes, CancellationToken deadline)
    {
        var problem = TryWrite(envelope, out var fields);
        if (problem is not null || (IsTooLong(envelope) && (problem = await TooLongAsync(envelope, deadline)) is not null))
        {
            outcomes.Span[0] = PublishOutcome.Rejected(problem);
            return;
        }

        var (write, position) = Sending.Add(StreamOf(envelope), fields, deadline);
        await write.Ended;
        var outcome = await write.OutcomeAsync(position);
        outcomes.Span[0] = outcome;
    }

    /// <summary>
    /// Sends a batch as one transaction, without other commands in between. If Redis refuses the transaction as a whole
    /// (memory, rights), all events are refused. If a key is not a stream, only the events for that key are refused.
    /// </summary>
    private async ValueTask PublishTogetherAsync(ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline)
    {
        var entries = new List<(RedisKey, NameValueEntry[])>(batch.Length);
        var indexes = new List<int>(batch.Length);
        HashSet<string>? heldBack = null;
        for (var i = 0; i < batch.Length; i++)
        {
            var envelope = batch.Span[i];
            if (envelope.Key is { } key && heldBack?.Contains(key) == true)
            {
                outcomes.Span[i] = PublishOutcome.Failed(new InvalidOperationException("An earlier event of the same key was not accepted."));
            }
            else if ((TryWrite(envelope, out var fields) ?? (IsTooLong(envelope) ? await TooLongAsync(envelope, deadline) : null)) is { } problem)
            {
                outcomes.Span[i] = PublishOutcome.Rejected(problem);
                if (envelope.Key is { } failedKey)
                {
                    (heldBack ??= new(StringComparer.Ordinal)).Add(failedKey);
                }
            }
            else
            {
                entries.Add((StreamOf(envelope), fields));
                indexes.Add(i);
            }
        }

        if (entries.Count > 0)
        {
            var write = new RedisWriteBatch(entries, together: true, deadline);
            Sending.Add(write);
            await write.Ended;
            var refusals = new Dictionary<RedisKey, PublishOutcome>();
            for (var position = 0; position < indexes.Count; position++)
            {
                var outcome = await write.OutcomeAsync(position);
                if (outcome.Status == PublishStatus.Failed && RedisErrors.IsDiscarded(outcome.Error))
                {
                    var stream = entries[position].Item1;
                    outcome = refusals.TryGetValue(stream, out var known) ? known : refusals[stream] = await WhyDiscardedAsync(stream, outcome, deadline);
                }

                outcomes.Span[indexes[position]] = outcome;
            }
        }
    }

    /// <summary>
    /// Finds out whether a stream caused a transaction to be discarded, by adding an entry with an id that every stream
    /// refuses.
    /// </summary>
    private async Task<PublishOutcome> WhyDiscardedAsync(RedisKey stream, PublishOutcome otherwise, CancellationToken deadline)
    {
        try
        {
            await Connection.GetDatabase().ExecuteAsync("XADD", [stream, "NOMKSTREAM", "0-0", "type", "none"]).WaitAsync(RedisConnector.Answer, Names.Time, deadline);
        }
        catch (RedisServerException exception) when (RedisErrors.IsForGood(exception))
        {
            return PublishOutcome.Rejected(exception);
        }
        catch (Exception)
        {
            // Redis refused the id, or the error may be temporary: the events of this stream are sent again.
        }

        return otherwise;
    }

    /// <summary>
    /// True if an event is longer than the last known limit of Redis. Does not wait for an answer, because events that
    /// are published afterwards must not overtake this one.
    /// </summary>
    private bool IsTooLong(Envelope envelope)
    {
        if (!RedisArgumentLimit.IsNear(envelope.Body.Length))
        {
            return false;
        }

        if (Names.Time.GetElapsedTime(Volatile.Read(ref askedAt)) > LimitPeriod)
        {
            _ = AskLimitAsync(stop.Token);
        }

        return envelope.Body.Length > Volatile.Read(ref limit);
    }

    /// <summary>Asks for the limit again before an event is refused, because it may have been raised.</summary>
    /// <returns>The error if the event is longer than the limit; otherwise null.</returns>
    private async Task<EventBusException?> TooLongAsync(Envelope envelope, CancellationToken deadline)
    {
        await AskLimitAsync(deadline);
        return envelope.Body.Length is var length && Volatile.Read(ref limit) is var known && length > known
            ? new EventBusException($"The event has {length:N0} bytes; Redis reads {known:N0} at most (proto-max-bulk-len). Make it smaller, or raise the limit of the server.")
            : null;
    }

    private void AskLimitAgain(object? sender, ConnectionFailedEventArgs restored) => _ = AskLimitAsync(CancellationToken.None);

    /// <summary>
    /// Asks for the maximum length of an argument. Never throws; without an answer the last known limit stays.
    /// </summary>
    private async Task AskLimitAsync(CancellationToken cancellationToken)
    {
        try
        {
            Volatile.Write(ref askedAt, Names.Time.GetTimestamp());
            var database = Connection.GetDatabase();
            Volatile.Write(ref limit, await RedisArgumentLimit.AskAsync(arguments => database.ExecuteAsync("CONFIG", arguments)).WaitAsync(RedisConnector.Answer, Names.Time, cancellationToken));
        }
        catch (Exception)
        {
            // The outcome of the event itself reports the problem.
        }
    }

    /// <returns>The error if the event cannot be serialized; otherwise null.</returns>
    private EventBusException? TryWrite(Envelope envelope, out NameValueEntry[] fields)
    {
        try
        {
            fields = RedisWireFormat.Write(envelope, Names.Source);
            return null;
        }
        catch (EventBusException exception)
        {
            fields = [];
            return exception;
        }
    }

    private RedisKey StreamOf(Envelope envelope)
    {
        if (!streams.TryGetValue(envelope.Name, out var stream))
        {
            streams[envelope.Name] = stream = Names.StreamOf(envelope.Name);

            // Done once, without waiting: a subscription that misses it finds the stream by a scan of the keys.
            _ = Connection.GetDatabase().SetAddAsync(Names.KnownWords, Names.WordOf(stream), CommandFlags.FireAndForget);
        }

        return stream;
    }

    /// <summary>
    /// Returns accepted only if the answer is the id of an entry. Any other answer belongs to another call, so the
    /// outcome is in doubt.
    /// </summary>
    internal static PublishOutcome Judge(RedisValue answer) => RedisStreamId.TryParse(answer, out _)
        ? PublishOutcome.Accepted
        : PublishOutcome.InDoubt(new EventBusException("Redis, or a proxy before it, answered the publish with a text that is no id of a stream entry. Publish again under the same id."));

    /// <summary>
    /// Returns failed or rejected only if the event was certainly not stored: Redis refused it, or it was not sent.
    /// Rejected means that a retry cannot help.
    /// </summary>
    internal static PublishOutcome Judge(Exception exception) => !IsCertain(exception) ? PublishOutcome.InDoubt(exception)
        : RedisErrors.IsForGood(exception) ? PublishOutcome.Rejected(exception)
        : PublishOutcome.Failed(exception);

    internal static bool IsCertain(Exception exception) => exception switch
    {
        // RedisCommandException: the client did not send the command, for instance because the server is a replica.
        RedisServerException or RedisCommandException => !RedisErrors.IsOfTransaction(exception),
        RedisConnectionException { CommandStatus: CommandStatus.WaitingToBeSent or CommandStatus.WaitingInBacklog } => true,

        // The client's error for a whole batch when it had no connection.
        RedisConnectionException { FailureType: ConnectionFailureType.UnableToResolvePhysicalConnection, CommandStatus: CommandStatus.Unknown } => true,
        _ => false,
    };
}
