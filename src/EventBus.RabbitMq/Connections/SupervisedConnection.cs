using Microsoft.Extensions.Logging;
using RabbitMQ.Client;

namespace EventBus;

/// <summary>One connection to the broker, replaced whenever it is lost. The client's own recovery is off.</summary>
internal sealed class SupervisedConnection : IAsyncDisposable
{
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan ProbeInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan SecondOpening = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LastChance = TimeSpan.FromMilliseconds(100);

    // A connection that is opened and lost again and again is told of no more often.
    private static readonly TimeSpan TellAgain = TimeSpan.FromMinutes(1);

    private readonly string service;
    private readonly string name;
    private readonly RabbitMqConnectionSource source;
    private readonly RabbitMqHosts? hosts;
    private readonly RabbitMqOptions options;
    private readonly TimeProvider time;
    private readonly ILogger log;
    private readonly RabbitMqSupervisor supervisor;
    private readonly CancellationTokenSource stop = new();
    private volatile TaskCompletionSource<ConnectionSession> current = NewCurrent();
    private volatile ConnectionSession? latest;
    private Task loop = Task.CompletedTask;
    private Task closing = Task.CompletedTask;
    private long epoch;
    private long toldAt;

    // A wire that swallows everything swallows the opening too: it is given up as soon as an open connection would be. Each further one is given twice as long, so that a broker that is only slow is reached in the end.
    private TimeSpan patience;

    public SupervisedConnection(string service, string name, RabbitMqConnectionSource source, RabbitMqOptions options, TimeProvider time, ILogger log)
    {
        (this.service, this.name, this.source, this.options, this.time, this.log) = (service, name, source, options, time, log);
        patience = FirstPatience;
        hosts = source.HostsOfALink();
        supervisor = new RabbitMqSupervisor(time, $"the {name} connection", log, (full, delay, error) => full.Disconnected(name, delay, RabbitMqErrors.CauseOf(error)!, error));
    }

    public Exception? LastError => supervisor.LastError;

    /// <summary>Completes when the first connection is lost or could not be opened.</summary>
    public Task Failed => supervisor.Failed;

    public bool IsOpen => current.Task.IsCompletedSuccessfully;

    /// <summary>The broker takes nothing from this connection for now.</summary>
    public bool IsBlocked => latest?.IsBlocked == true;

    private TimeSpan FirstPatience => options.SilenceTimeout < options.CallTimeout ? options.SilenceTimeout : options.CallTimeout;

    public void Start() => loop = supervisor.RunAsync(KeepAsync, stop.Token);

    /// <summary>The live connection, as soon as there is one.</summary>
    public Task<ConnectionSession> ConnectionAsync(CancellationToken cancellationToken) => current.Task.WaitAsync(cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await loop.WaitAsync(CloseTimeout, time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
    }

    private async Task KeepAsync(CancellationToken stopped)
    {
        var (connection, traffic) = await OpenAsync(stopped);
        var live = new ConnectionSession(connection, ++epoch, options.CallTimeout, time) { Blocked = reason => log.Blocked(name, reason), Traffic = traffic };
        try
        {
            // A refusal of the virtual host comes when the client believes that it is in: a channel is the first proof that it is.
            var probe = await FirstChannelAsync(live, stopped);
            patience = FirstPatience;
            supervisor.Succeeded();
            if (epoch == 1 || time.GetElapsedTime(toldAt) >= TellAgain)
            {
                toldAt = time.GetTimestamp();
                log.Connected(name, live.Epoch);
            }

            latest = live;
            current.TrySetResult(live);
            await ProbeAsync(live, probe, stopped);
            throw await live.Ended;
        }
        finally
        {
            latest = null;
            if (current.Task.IsCompleted)
            {
                // Otherwise the connection was never ready, and callers still wait for the next one on this promise.
                current = NewCurrent();
            }

            live.Abandon(new InvalidOperationException("The connection was closed by this side."));
            live.StopListening();

            // The next connection does not wait until this one is closed: one that is dead closes only after the timeout.
            await closing;
            closing = DiscardAsync(connection);
            if (stopped.IsCancellationRequested)
            {
                await closing;
            }
        }
    }

    /// <summary>Opens a connection, within the patience.</summary>
    /// <remarks>The network may have swallowed an opening that began shortly before an outage ended. One that has no answer for a while gets a second beside it, and the first that is open is taken.</remarks>
    private async Task<(IConnection Connection, ConnectionTraffic Traffic)> OpenAsync(CancellationToken stopped)
    {
        var alone = patience < SecondOpening * 2 ? patience / 2 : SecondOpening;
        List<Task<(IConnection Connection, ConnectionTraffic Traffic)>> openings = [OpenOneAsync()];
        Task<(IConnection Connection, ConnectionTraffic Traffic)>? taken = null;
        try
        {
            await ((Task)openings[0]).WaitAsync(alone, time, stopped).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            stopped.ThrowIfCancellationRequested();
            if (!openings[0].IsCompleted)
            {
                openings.Add(OpenOneAsync());
            }

            var first = await Task.WhenAny(openings).WaitAsync(patience - alone, time, stopped);
            taken = first.IsCompletedSuccessfully || openings.Count == 1 ? first : openings.Single(opening => opening != first);
            return await taken.WaitAsync(patience - alone, time, stopped);
        }
        catch (Exception exception)
        {
            WaitLongerAfter(exception);
            throw;
        }
        finally
        {
            foreach (var opening in openings)
            {
                if (opening != taken || !opening.IsCompletedSuccessfully)
                {
                    _ = DiscardWhenOpenAsync(opening);
                }
            }
        }

        async Task<(IConnection Connection, ConnectionTraffic Traffic)> OpenOneAsync()
        {
            var traffic = new ConnectionTraffic();
            return (await source.OpenAsync($"eventbus {service} {name}", traffic, hosts), traffic);
        }
    }

    private async Task<IChannel> FirstChannelAsync(ConnectionSession live, CancellationToken stopped)
    {
        try
        {
            return await live.OpenChannelAsync().WaitAsync(patience, time, stopped);
        }
        catch (Exception exception)
        {
            WaitLongerAfter(exception);
            throw;
        }
    }

    private void WaitLongerAfter(Exception exception)
    {
        if (exception is TimeoutException)
        {
            patience = patience * 2 < options.CallTimeout ? patience * 2 : options.CallTimeout;
        }
    }

    /// <summary>Asks for a sign of life until the connection has ended. A wire that swallows everything says nothing by itself, and heartbeats take long to notice.</summary>
    private async Task ProbeAsync(ConnectionSession live, IChannel probe, CancellationToken stopped)
    {
        try
        {
            while (await GoesOnAsync(ProbeInterval))
            {
                if (live.IsBlocked)
                {
                    continue;
                }

                if (!probe.IsOpen)
                {
                    _ = probe.DiscardAsync();
                    probe = await ReopenAsync();
                }

                await ListenAsync(probe.BasicQosAsync(0, 1, global: false, CancellationToken.None));
            }
        }
        finally
        {
            _ = probe.DiscardAsync();
        }

        // The wire may be dead by now: an answer to this is waited for no longer than one to any other question.
        async Task<IChannel> ReopenAsync()
        {
            var opening = live.OpenChannelAsync();
            await ListenAsync(opening);
            return await opening;
        }

        // On a slow wire the answer waits behind events; whatever else is heard meanwhile shows as well that the broker is there.
        // Silence counts from the last byte, and not from the question: a byte right before the connection goes dark must not buy it another whole timeout.
        async Task ListenAsync(Task answer)
        {
            var silenceStep = options.SilenceTimeout / 10;

            // Whether it failed is seen at the channel.
            _ = EndAsync(answer);
            var (heard, since) = (live.Heard, time.GetTimestamp());
            while (!answer.IsCompleted && !live.Ended.IsCompleted && options.SilenceTimeout - time.GetElapsedTime(since) is { Ticks: > 0 } left)
            {
                await Task.WhenAny(answer, GoesOnAsync(left < silenceStep ? left : silenceStep));
                if (live.Heard is var now && now != heard)
                {
                    (heard, since) = (now, time.GetTimestamp());
                }
            }

            // A process that stood still finds the answer and the end of its patience at once.
            if (!answer.IsCompleted && await GoesOnAsync(LastChance) && !answer.IsCompleted && heard == live.Heard && !live.IsBlocked)
            {
                live.Abandon(new TimeoutException($"RabbitMQ gave no sign of life for {options.SilenceTimeout}."));
            }
        }

        static async Task EndAsync(Task asked) => await asked.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);

        async Task<bool> GoesOnAsync(TimeSpan wait)
        {
            await ((Task)live.Ended).WaitAsync(wait, time, stopped).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
            stopped.ThrowIfCancellationRequested();
            return !live.Ended.IsCompleted;
        }
    }

    private async Task DiscardWhenOpenAsync(Task<(IConnection Connection, ConnectionTraffic Traffic)> opening)
    {
        try
        {
            await DiscardAsync((await opening).Connection);
        }
        catch (Exception)
        {
            // It never opened: nothing to discard.
        }
    }

    /// <summary>Closes politely for a moment; what hangs is left to itself.</summary>
    private async Task DiscardAsync(IConnection connection)
    {
        if (source.IsLent)
        {
            return;
        }

        try
        {
            await connection.CloseAsync(200, "closing", CloseTimeout, abort: true).WaitAsync(CloseTimeout, time);
        }
        catch (Exception)
        {
            // Closed already, or it does not answer: there is nothing more to be polite about.
        }

        _ = EndQuietlyAsync(connection.DisposeAsync().AsTask());

        static async Task EndQuietlyAsync(Task ending) => await ending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
    }

    private static TaskCompletionSource<ConnectionSession> NewCurrent() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
