using System.Threading.Channels;
using EventBus.Transports;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>Publishes events in the order of the calls, over a channel that is replaced whenever it is lost.</summary>
internal sealed class RabbitMqPublisher : IAsyncDisposable
{
    // The number of times that the replacement of a channel waits for its unanswered events. Then the channel is
    // replaced anyway.
    private const int MaxDrains = 10;

    private static readonly TimeSpan FlushTimeout = TimeSpan.FromSeconds(1);

    // The minimum lifetime of a channel, and the timeout for the unanswered events on it, if the broker refuses events.
    private static readonly TimeSpan ReplaceTime = TimeSpan.FromSeconds(1);

    // The minimum interval between opening channels, if the broker closes them because it refuses events.
    private static readonly TimeSpan RefusalPause = TimeSpan.FromMilliseconds(50);

    private readonly SupervisedConnection link;
    private readonly RabbitMqTopology topology;
    private readonly RabbitMqOptions options;
    private readonly TimeProvider time;
    private readonly SupervisedLoop supervisor;
    private readonly CancellationTokenSource stop = new();
    private readonly TaskCompletionSource flushed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile ConfirmedChannel? current;
    private ConnectionSession? connection;
    private readonly PublishQueue queue;
    private readonly UnansweredEvents unanswered;
    private readonly ExchangeRestorer exchange;
    private bool mayCreate;
    private int calls = 1;
    private int disposed;
    private Task loop = Task.CompletedTask;

    public RabbitMqPublisher(SupervisedConnection link, RabbitMqTopology topology, RabbitMqOptions options, TimeProvider time, ILogger log)
    {
        (this.link, this.topology, this.options, this.time) = (link, topology, options, time);
        (queue, unanswered) = (new PublishQueue(topology, time), new UnansweredEvents(topology));
        exchange = new ExchangeRestorer(topology, options, log);
        supervisor = new SupervisedLoop(
            "the channel of the publisher",
            time,
            log,
            (logger, delay, error) => logger.ChannelLost("the publisher", delay, error.Message, error));
    }

    /// <summary>
    /// The entities to which the events of this application go. They exist before events are sent, so that no event is
    /// reported as unrouted by mistake.
    /// </summary>
    public required IReadOnlyCollection<RabbitMqEntity> Targets { get; init; }

    public bool IsOpen => current is not null;

    public Exception? LastError => link.LastError ?? supervisor.LastError;

    /// <summary>
    /// Completes when events can be sent for the first time; fails if the broker refuses the exchange.
    /// </summary>
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

        var work = new PublishBatch(batch, outcomes);
        Interlocked.Increment(ref calls);
        try
        {
            using var late = deadline.UnsafeRegister(static state => ((PublishBatch)state!).Close(TooLate), work);
            using var stopped = stop.Token.UnsafeRegister(static state => ((PublishBatch)state!).Close(Stopped), work);

            await queue.AddAsync(work, deadline);
            await work.Done;
        }
        catch (Exception exception) when (exception is OperationCanceledException or ChannelClosedException)
        {
            work.Close(exception is ChannelClosedException ? Stopped : TooLate);
        }
        finally
        {
            Leave();
        }

        if (deadline.IsCancellationRequested && !link.IsBlocked && current?.Silence() >= options.CallTimeout)
        {
            connection?.Abandon(new TimeoutException($"RabbitMQ confirmed nothing for {options.CallTimeout}."));
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
        if (Interlocked.Decrement(ref calls) == 0)
        {
            flushed.TrySetResult();
        }
    }

    private async Task UseConnectionAsync(CancellationToken stopped)
    {
        var session = await link.ConnectionAsync(stopped);
        connection = session;
        try
        {
            var restores = true;
            while (true)
            {
                // Ends with an exception when the connection is lost.
                restores = await UseChannelAsync(session, restores, stopped);
            }
        }
        finally
        {
            current = null;
        }
    }

    /// <summary>
    /// Sends events over one channel until the broker refuses an event on it. A channel caches the leaders of queues:
    /// after a leader is lost, the channel can refuse all events until it is closed.
    /// </summary>
    /// <returns>True if missing entities must be restored before the next channel is used.</returns>
    /// <exception cref="Exception">The channel has ended.</exception>
    private async Task<bool> UseChannelAsync(ConnectionSession session, bool restores, CancellationToken stopped)
    {
        var channel = await session.OpenChannelAsync(
            new CreateChannelOptions(
                publisherConfirmationsEnabled: true,
                publisherConfirmationTrackingEnabled: false,
                consumerDispatchConcurrency: 1));
        using var confirmed = new ConfirmedChannel(channel, session, options.MaxUnconfirmed, time);
        Exception cause = new OperationCanceledException(stopped);
        try
        {
            if (restores)
            {
                var provisioner = new RabbitMqProvisioner(options);
                mayCreate = await exchange.RestoreAsync(provisioner, session);
                await provisioner.RestoreAsync(session, Targets);
                supervisor.Succeeded();
            }

            current = confirmed;
            opened.TrySetResult();
            if (await SendAsync(confirmed, session, stopped) is not { } ended)
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
            unanswered.Settle(confirmed.TakeRest(), cause, mayCreate);
            _ = channel.DiscardAsync();
        }

        if (!RabbitMqErrors.IsOfPublish(cause))
        {
            throw cause;
        }

        // The refused event was reported to its caller. The other events wait only for a short time.
        await Task.Delay(RefusalPause, time, stopped);
        return RabbitMqErrors.IsMissing(cause);
    }

    /// <summary>Sends events until the channel has ended or is to be replaced.</summary>
    /// <returns>
    /// The reason for the end; null if the broker has refused an event, so that the channel is replaced.
    /// </returns>
    private async Task<Exception?> SendAsync(ConfirmedChannel channel, ConnectionSession session, CancellationToken stopped)
    {
        for (var drains = 0; drains < MaxDrains; drains++)
        {
            var first = await WriteUntilAsync(channel, session, stopped);
            if (first is not null)
            {
                return await CauseOfAsync(first, channel, stopped);
            }

            // Waits for unanswered events first, so that the next channel cannot overtake them. The queue of other
            // events may have no leader for a while; these events should not become in doubt because of that.
            await ((Task)Task.WhenAny(channel.Drained, channel.Ended, session.Ended)).WaitAsync(ReplaceTime, time, stopped).Quietly();
            if (channel.Drained.IsCompleted)
            {
                break;
            }
        }

        return null;
    }

    /// <summary>Gets the reason why a channel has ended.</summary>
    /// <param name="first">The task that ended first: the writing, the channel or the connection.</param>
    /// <param name="channel">The channel.</param>
    /// <param name="stopped">The token that stops the publisher.</param>
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
            var refused = ReplaceableAsync(channel, end.Token);
            var first = await Task.WhenAny(writing, channel.Ended, session.Ended, refused).WaitAsync(stopped);
            stopped.ThrowIfCancellationRequested();
            return first == refused ? null : first;
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
    private async Task ReplaceableAsync(ConfirmedChannel channel, CancellationToken end)
    {
        var pause = Task.Delay(ReplaceTime, time, end);
        await channel.Refused.WaitAsync(end).Quietly();
        await pause.Quietly();
    }

    /// <summary>Sends the events without an answer, and then those that wait, until the channel ends.</summary>
    private async Task WriteAsync(ConfirmedChannel channel, CancellationToken end)
    {
        await unanswered.SendAsync(channel, end);
        await queue.SendAsync(channel, end);
    }

    private static Exception TooLate(bool wasSent) => new TimeoutException(wasSent
        ? "RabbitMQ did not confirm the event in time."
        : "The event could not be sent to RabbitMQ in time, because the broker is unreachable, blocks publishers, or is too slow for the "
            + "number of events.");

    private static Exception Stopped(bool wasSent) => new InvalidOperationException(
        wasSent ? "The bus stopped before RabbitMQ had confirmed the event." : "The bus stopped before the event was sent.");
}
