using EventBus.Transports;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;

namespace EventBus;

/// <summary>
/// Maintains one connection to the broker, and replaces it whenever it is lost. The client's automatic recovery is off,
/// except on a connection of the application.
/// </summary>
internal sealed class SupervisedConnection : IAsyncDisposable
{
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan SecondOpening = TimeSpan.FromSeconds(1);

    // The minimum interval between log messages about a connection that is opened and lost repeatedly.
    private static readonly TimeSpan TellAgain = TimeSpan.FromMinutes(1);

    private readonly string service;
    private readonly string name;
    private readonly RabbitMqConnectionSource source;
    private readonly RabbitMqHosts? hosts;
    private readonly RabbitMqOptions options;
    private readonly TimeProvider time;
    private readonly ILogger log;
    private readonly SupervisedLoop supervisor;
    private readonly CancellationTokenSource stop = new();
    private volatile TaskCompletionSource<ConnectionSession> current = NewCurrent();
    private volatile ConnectionSession? latest;
    private Task loop = Task.CompletedTask;
    private Task closing = Task.CompletedTask;
    private long epoch;
    private long toldAt;

    // The timeout of an attempt to open a connection. If the network drops all packets, the attempt is abandoned as
    // soon as an open connection would be. The timeout doubles after each attempt that times out, so that a slow broker
    // is reached eventually.
    private TimeSpan patience;

    public SupervisedConnection(
        string service,
        string name,
        RabbitMqConnectionSource source,
        RabbitMqOptions options,
        TimeProvider time,
        ILogger log)
    {
        (this.service, this.name, this.source, this.options, this.time, this.log) = (service, name, source, options, time, log);
        patience = FirstPatience;
        hosts = source.HostsOfALink();
        supervisor = new SupervisedLoop(
            $"the {name} connection",
            time,
            log,
            (full, delay, error) => full.Disconnected(name, delay, RabbitMqErrors.CauseOf(error)!, error));
    }

    public Exception? LastError => supervisor.LastError;

    /// <summary>Completes when the first connection is lost or could not be opened.</summary>
    public Task Failed => supervisor.Failed;

    public bool IsOpen => current.Task.IsCompletedSuccessfully;

    /// <summary>True while the broker blocks this connection.</summary>
    public bool IsBlocked => latest?.IsBlocked == true;

    private TimeSpan FirstPatience => options.SilenceTimeout < options.CallTimeout ? options.SilenceTimeout : options.CallTimeout;

    public void Start() => loop = supervisor.RunAsync(KeepAsync, stop.Token);

    /// <summary>Waits for the open connection and returns it.</summary>
    public Task<ConnectionSession> ConnectionAsync(CancellationToken cancellationToken) => current.Task.WaitAsync(cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await loop.WaitAsync(CloseTimeout, time).Quietly();
    }

    private async Task KeepAsync(CancellationToken stopped)
    {
        var (connection, traffic) = await OpenAsync(stopped);
        var live = new ConnectionSession(
            connection,
            ++epoch,
            options.CallTimeout,
            time)
        { Blocked = reason => log.Blocked(name, reason), Traffic = traffic };
        try
        {
            // The client reports an open connection before the broker refuses the virtual host. Only an open channel
            // proves that the broker accepted it.
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
            await new ConnectionProbe(live, options.SilenceTimeout, time).RunAsync(probe, stopped);
            throw await live.Ended;
        }
        finally
        {
            latest = null;
            if (current.Task.IsCompleted)
            {
                // Otherwise the connection was never ready, and callers still wait for the next one on this task.
                current = NewCurrent();
            }

            live.Abandon(new InvalidOperationException("The connection was closed by this side."));
            live.StopListening();

            // The next connection does not wait until this one is closed: an unresponsive connection closes only after
            // the timeout.
            await closing;
            closing = DiscardAsync(connection);
            if (stopped.IsCancellationRequested)
            {
                await closing;
            }
        }
    }

    /// <summary>Opens a connection within the current timeout.</summary>
    /// <remarks>
    /// The network may have dropped the packets of an attempt that began shortly before an outage ended. If an attempt
    /// has no answer for a while, a second attempt runs in parallel, and the first open connection is used.
    /// </remarks>
    private async Task<(IConnection Connection, ConnectionTraffic Traffic)> OpenAsync(CancellationToken stopped)
    {
        var alone = patience < SecondOpening * 2 ? patience / 2 : SecondOpening;
        var begun = time.GetTimestamp();
        List<Task<(IConnection Connection, ConnectionTraffic Traffic)>> openings = [OpenOneAsync()];
        Task<(IConnection Connection, ConnectionTraffic Traffic)>? taken = null;
        try
        {
            await ((Task)openings[0]).WaitAsync(alone, time, stopped).Quietly();
            stopped.ThrowIfCancellationRequested();
            if (!openings[0].IsCompleted)
            {
                openings.Add(OpenOneAsync());
            }

            var first = await Task.WhenAny(openings).WaitAsync(Left(), time, stopped);
            taken = first.IsCompletedSuccessfully || openings.Count == 1 ? first : openings.Single(opening => opening != first);
            return await taken.WaitAsync(Left(), time, stopped);
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

        TimeSpan Left() => TimeSpan.FromTicks(Math.Max(0, (patience - time.GetElapsedTime(begun)).Ticks));

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

    private async Task DiscardWhenOpenAsync(Task<(IConnection Connection, ConnectionTraffic Traffic)> opening)
    {
        try
        {
            await DiscardAsync((await opening).Connection);
        }
        catch (Exception)
        {
            // The connection was never opened: there is nothing to discard.
        }
    }

    /// <summary>
    /// Closes a connection gracefully, within a timeout. An unresponsive connection is disposed without waiting.
    /// </summary>
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
            // The connection is already closed, or does not answer.
        }

        _ = connection.DisposeAsync().AsTask().Observed();
    }

    private static TaskCompletionSource<ConnectionSession> NewCurrent() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
