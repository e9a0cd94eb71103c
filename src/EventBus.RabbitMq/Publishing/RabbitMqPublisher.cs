using System.Threading.Channels;
using EventBus.Transports;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>Publishes events in the order of the calls, over a channel that is replaced whenever it is lost.</summary>
internal sealed class RabbitMqPublisher : IAsyncDisposable
{
    // The number of times that the replacement of a channel waits for its unconfirmed events, each time for
    // ReplaceTime. Then the channel is replaced anyway.
    private const int MaxDrains = 10;

    private static readonly TimeSpan FlushTimeout = TimeSpan.FromSeconds(1);

    // If the broker refuses events (nack): the minimum lifetime of a channel, and the timeout of one wait for its
    // unconfirmed events.
    private static readonly TimeSpan ReplaceTime = TimeSpan.FromSeconds(1);

    // The pause before the next channel, if the broker has closed a channel because of an event.
    private static readonly TimeSpan RefusalPause = TimeSpan.FromMilliseconds(50);

    private readonly SupervisedConnection link;
    private readonly RabbitMqTopology topology;
    private readonly RabbitMqOptions options;
    private readonly TimeProvider time;
    private readonly SupervisedLoop supervisor;
    private readonly CancellationTokenSource stop = new();
    private readonly TaskCompletionSource flushed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly PublishQueue queue;
    private readonly UnansweredEvents unanswered;
    private readonly ExchangeRestorer exchangeRestorer;
    private volatile ConfirmedChannel? currentChannel;
    private ConnectionSession? currentSession;
    private bool mayCreateExchange;

    // The number of publish calls in progress, plus 1 until the publisher is disposed.
    private int users = 1;
    private int disposed;
    private Task loop = Task.CompletedTask;

    public RabbitMqPublisher(SupervisedConnection link, RabbitMqTopology topology, RabbitMqOptions options, TimeProvider time, ILogger log)
    {
        this.link = link;
        this.topology = topology;
        this.options = options;
        this.time = time;
        queue = new PublishQueue(topology, time);
        unanswered = new UnansweredEvents(topology);
        exchangeRestorer = new ExchangeRestorer(topology, options, log);
        supervisor = new SupervisedLoop(
            "the channel of the publisher",
            time,
            log,
            (logger, delay, error) => logger.ChannelLost("the publisher", delay, RabbitMqErrors.CauseOf(error)!, error));
    }

    /// <summary>
    /// The entities that the subscriptions of this application need. Missing ones are created before events are sent,
    /// so that no event is reported as unrouted by mistake.
    /// </summary>
    public required IReadOnlyCollection<RabbitMqEntity> Targets { get; init; }

    public bool IsOpen => currentChannel is not null;

    public Exception? LastError => link.LastError ?? supervisor.LastError;

    /// <summary>Completes when events can be sent for the first time; fails if the exchange is refused.</summary>
    public Task Opened => opened.Task;

    /// <summary>Completes when the first attempt to open has failed.</summary>
    public Task Failed => Task.WhenAny(link.Failed, supervisor.Failed);

    public void Start() => loop = supervisor.RunAsync(UseConnectionAsync, stop.Token);

    public async ValueTask PublishAsync(ReadOnlyMemory<Envelope> batch, Memory<PublishOutcome> outcomes, CancellationToken deadline)
    {
        if (batch.IsEmpty)
        {
            return;
        }

        var call = new PublishBatch(batch, outcomes);
        Interlocked.Increment(ref users);
        try
        {
            using var late = deadline.UnsafeRegister(static state => ((PublishBatch)state!).CloseAtDeadline(), call);
            using var stopped = stop.Token.UnsafeRegister(static state => ((PublishBatch)state!).CloseAtStop(), call);

            await queue.AddAsync(call, deadline);
            await call.Done;
        }
        catch (OperationCanceledException)
        {
            call.CloseAtDeadline();
        }
        catch (ChannelClosedException)
        {
            call.CloseAtStop();
        }
        finally
        {
            Leave();
        }

        // The broker may still send other data. Without confirms, the connection is of no use for publishing.
        if (deadline.IsCancellationRequested && !link.IsBlocked && currentChannel?.TimeWithoutConfirm() >= options.CallTimeout)
        {
            currentSession?.Abandon(new TimeoutException($"RabbitMQ confirmed nothing for {options.CallTimeout}."));
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref disposed, 1) == 0)
        {
            queue.Complete();
            Leave();
        }

        await flushed.Task.WaitAsync(FlushTimeout, time).Quietly();
        await stop.CancelAsync();
        await loop.WaitAsync(FlushTimeout, time).Quietly();
    }

    private void Leave()
    {
        if (Interlocked.Decrement(ref users) == 0)
        {
            flushed.TrySetResult();
        }
    }

    private async Task UseConnectionAsync(CancellationToken stopped)
    {
        var session = await link.ConnectionAsync(stopped);
        currentSession = session;
        try
        {
            // The loop ends with an exception when the connection is lost.
            var restoresEntities = true;
            while (true)
            {
                restoresEntities = await UseChannelAsync(session, restoresEntities, stopped);
            }
        }
        finally
        {
            currentChannel = null;
        }
    }

    /// <summary>
    /// Sends events over one channel until the broker refuses an event on it: by a nack, or by closing the channel.
    /// After a nack the channel is replaced, because it caches the leaders of queues: after a leader is lost, the
    /// channel can refuse all events until it is closed.
    /// </summary>
    /// <returns>True if missing entities must be restored before the next channel is used.</returns>
    /// <exception cref="Exception">The channel has ended for another reason.</exception>
    private async Task<bool> UseChannelAsync(ConnectionSession session, bool restoresEntities, CancellationToken stopped)
    {
        var channel = await session.OpenChannelAsync(
            new CreateChannelOptions(
                publisherConfirmationsEnabled: true,
                publisherConfirmationTrackingEnabled: false,
                consumerDispatchConcurrency: 1));
        using var confirmed = new ConfirmedChannel(channel, session, options.MaxUnconfirmed, time);

        // The reason why unconfirmed events have no answer. This value applies if the publisher is stopped.
        Exception cause = new OperationCanceledException(stopped);
        try
        {
            if (restoresEntities)
            {
                var provisioner = new RabbitMqProvisioner(options);
                mayCreateExchange = await exchangeRestorer.RestoreAsync(provisioner, session);
                await provisioner.TryRestoreAsync(session, Targets);
                supervisor.Succeeded();
            }

            currentChannel = confirmed;
            opened.TrySetResult();
            var ended = await SendAsync(confirmed, session, stopped);
            if (ended is null)
            {
                cause = new InvalidOperationException("RabbitMQ refused an event, and its channel was replaced.");
                return false;
            }

            cause = ended;
        }
        catch (OperationInterruptedException exception) when (RabbitMqErrors.IsRefusal(exception, options) && !opened.Task.IsCompleted)
        {
            opened.TrySetException(RabbitMqErrors.Refused($"the exchange '{topology.Exchange}'", exception));

            // Observes the exception: after a degraded start, nothing awaits this task.
            _ = opened.Task.Exception;
            throw;
        }
        finally
        {
            unanswered.Settle(confirmed.TakeUnanswered(), cause, mayCreateExchange);
            _ = channel.DiscardAsync();
        }

        if (!RabbitMqErrors.IsOfPublish(cause))
        {
            throw cause;
        }

        // The broker has closed only the channel, because of one event. The other events wait only for this pause.
        await Task.Delay(RefusalPause, time, stopped);
        return RabbitMqErrors.IsMissing(cause);
    }

    /// <summary>Sends events until the channel has ended or is to be replaced.</summary>
    /// <returns>The reason for the end; null if the channel is to be replaced after a refused event.</returns>
    private async Task<Exception?> SendAsync(ConfirmedChannel channel, ConnectionSession session, CancellationToken stopped)
    {
        for (var drains = 0; drains < MaxDrains; drains++)
        {
            var first = await WriteUntilAsync(channel, session, stopped);
            if (first is not null)
            {
                return await CauseOfAsync(first, channel, stopped);
            }

            // Waits for unconfirmed events first, so that the next channel cannot overtake them. If they belong to a
            // queue that has no leader for a while, they should not become in doubt: the channel then sends further
            // events, and the next wait follows.
            await ((Task)Task.WhenAny(channel.Drained, channel.Ended, session.Ended)).WaitAsync(ReplaceTime, time, stopped).Quietly();
            if (channel.Drained.IsCompleted)
            {
                break;
            }
        }

        return null;
    }

    // Gets the reason why a channel has ended. The first task to end was the writing, the channel or the connection.
    private static async Task<Exception> CauseOfAsync(Task first, ConfirmedChannel channel, CancellationToken stopped)
    {
        if (channel.Ended.IsCompleted)
        {
            return await channel.Ended;
        }

        if (first is Task<Exception> ended)
        {
            return await ended;
        }

        return first.Exception?.InnerException ?? new OperationCanceledException(stopped);
    }

    /// <summary>
    /// Writes until a task has ended, or until the broker has refused an event. No event is written after it returns.
    /// </summary>
    /// <returns>The task that has ended; null after a refusal.</returns>
    private async Task<Task?> WriteUntilAsync(ConfirmedChannel channel, ConnectionSession session, CancellationToken stopped)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(stopped);
        var writing = WriteAsync(channel, end.Token);
        try
        {
            var replaceable = WhenReplaceableAsync(channel, end.Token);
            var first = await Task.WhenAny(writing, channel.Ended, session.Ended, replaceable).WaitAsync(stopped);
            stopped.ThrowIfCancellationRequested();
            return first == replaceable ? null : first;
        }
        finally
        {
            await end.CancelAsync();
            await writing.Quietly();
        }
    }

    /// <summary>
    /// Completes after the broker has refused an event, but not before a minimum time: a full queue refuses all events.
    /// </summary>
    private async Task WhenReplaceableAsync(ConfirmedChannel channel, CancellationToken end)
    {
        var minimumTime = Task.Delay(ReplaceTime, time, end);
        await channel.Refused.WaitAsync(end).Quietly();
        await minimumTime.Quietly();
    }

    /// <summary>
    /// Sends the unanswered events of earlier channels, and then those that wait, until the channel ends.
    /// </summary>
    private async Task WriteAsync(ConfirmedChannel channel, CancellationToken end)
    {
        await unanswered.SendAsync(channel, end);
        await queue.SendAsync(channel, end);
    }
}
