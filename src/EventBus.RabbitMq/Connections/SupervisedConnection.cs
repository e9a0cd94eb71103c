using EventBus.Transports;
using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Maintains one connection to the broker, and replaces it whenever it is lost. The client's automatic recovery is off,
/// except on a connection of the application.
/// </summary>
internal sealed class SupervisedConnection : IAsyncDisposable
{
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(1);

    // The minimum interval between log entries about a connection that is lost again and again.
    private static readonly TimeSpan LogInterval = TimeSpan.FromMinutes(1);

    private readonly string name;
    private readonly ConnectionOpener opener;
    private readonly RabbitMqOptions options;
    private readonly TimeProvider time;
    private readonly ILogger log;
    private readonly SupervisedLoop supervisor;
    private readonly CancellationTokenSource stop = new();

    // Callers wait for this connection. The task completes when it is open, and is replaced when it is lost.
    private volatile TaskCompletionSource<ConnectionSession> sessionSource = CreateSource();
    private volatile ConnectionSession? openSession;
    private Task loop = Task.CompletedTask;
    private Task closing = Task.CompletedTask;
    private long epoch;
    private long loggedAt;

    public SupervisedConnection(string name, ConnectionOpener opener, RabbitMqOptions options, TimeProvider time, ILogger log)
    {
        this.name = name;
        this.opener = opener;
        this.options = options;
        this.time = time;
        this.log = log;
        supervisor = new SupervisedLoop(
            $"the {name} connection",
            time,
            log,
            (logger, delay, error) => logger.Disconnected(opener.Address, name, delay, RabbitMqErrors.CauseOf(error)!, error));
    }

    public Exception? LastError => supervisor.LastError;

    /// <summary>Completes when the first connection is lost or could not be opened.</summary>
    public Task Failed => supervisor.Failed;

    public bool IsOpen => sessionSource.Task.IsCompletedSuccessfully;

    /// <summary>True while the broker blocks this connection.</summary>
    public bool IsBlocked => openSession?.IsBlocked == true;

    public void Start() => loop = supervisor.RunAsync(UseConnectionAsync, stop.Token);

    /// <summary>Waits for the open connection and returns it.</summary>
    public Task<ConnectionSession> ConnectionAsync(CancellationToken cancellationToken) => sessionSource.Task.WaitAsync(cancellationToken);

    /// <summary>Waits for the open connection and returns it, at most for the call timeout.</summary>
    /// <exception cref="TimeoutException">The connection was not open in time.</exception>
    public async Task<ConnectionSession> ConnectionWithinTimeoutAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await ConnectionAsync(cancellationToken).WaitAsync(options.CallTimeout, time, cancellationToken);
        }
        catch (TimeoutException exception)
        {
            var cause = RabbitMqErrors.CauseOf(LastError) ?? $"No connection was open within {options.CallTimeout}.";
            throw new TimeoutException($"RabbitMQ at {opener.Address} is out of reach: {cause}", exception);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await loop.WaitAsync(CloseTimeout, time).Quietly();
    }

    private async Task UseConnectionAsync(CancellationToken stopped)
    {
        var opened = await opener.OpenAsync(stopped);
        epoch++;
        var session = new ConnectionSession(opened.Client, epoch, options.CallTimeout, reason => log.Blocked(name, reason), time)
        {
            Traffic = opened.Traffic,
        };
        try
        {
            var probe = await opener.OpenFirstChannelAsync(session, stopped);
            supervisor.Succeeded();
            if (epoch == 1 || time.GetElapsedTime(loggedAt) >= LogInterval)
            {
                loggedAt = time.GetTimestamp();
                log.Connected(name, session.Epoch);
            }

            openSession = session;
            sessionSource.TrySetResult(session);
            await new ConnectionProbe(session, options.SilenceTimeout, time).RunAsync(probe, stopped);
            throw await session.Ended;
        }
        finally
        {
            openSession = null;

            // If this connection was never open, callers still wait for the same task, which the next connection
            // completes.
            if (sessionSource.Task.IsCompleted)
            {
                sessionSource = CreateSource();
            }

            session.Abandon(new InvalidOperationException("The connection was closed by this side."));
            session.StopListening();

            // The next connection does not wait until this one is closed: an unresponsive connection closes only after
            // the timeout.
            await closing;
            closing = opener.DiscardAsync(opened.Client);
            if (stopped.IsCancellationRequested)
            {
                await closing;
            }
        }
    }

    private static TaskCompletionSource<ConnectionSession> CreateSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
