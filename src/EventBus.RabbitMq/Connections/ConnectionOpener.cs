using EventBus.Transports;
using RabbitMQ.Client;

namespace EventBus;

/// <summary>Opens the connections of one supervised connection, each within a timeout. Not thread-safe.</summary>
/// <remarks>
/// If the network drops all packets, an attempt is abandoned as soon as an open connection would be. The timeout
/// doubles after each attempt that times out, so that a slow broker is reached eventually.
/// </remarks>
/// <param name="source">The broker.</param>
/// <param name="clientName">The connection name that operators see.</param>
/// <param name="options">Defines the first and the longest timeout.</param>
/// <param name="time">The clock.</param>
internal sealed class ConnectionOpener(RabbitMqConnectionSource source, string clientName, RabbitMqOptions options, TimeProvider time)
{
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan SecondAttemptDelay = TimeSpan.FromSeconds(1);

    private readonly RabbitMqHosts? hosts = source.CreateHosts();
    private TimeSpan timeout = FirstTimeout(options);

    /// <summary>Opens a connection within the current timeout.</summary>
    /// <remarks>
    /// The network may have dropped the packets of an attempt that began shortly before an outage ended. If an attempt
    /// has no answer for a while, a second attempt runs in parallel, and the first open connection is used.
    /// </remarks>
    /// <param name="stopped">Cancels the wait.</param>
    public async Task<(IConnection Connection, ConnectionTraffic Traffic)> OpenAsync(CancellationToken stopped)
    {
        var firstAlone = timeout < SecondAttemptDelay * 2 ? timeout / 2 : SecondAttemptDelay;
        var begun = time.GetTimestamp();
        List<Task<(IConnection Connection, ConnectionTraffic Traffic)>> openings = [OpenOneAsync()];
        Task<(IConnection Connection, ConnectionTraffic Traffic)>? taken = null;
        try
        {
            await ((Task)openings[0]).WaitAsync(firstAlone, time, stopped).Quietly();
            stopped.ThrowIfCancellationRequested();
            if (!openings[0].IsCompleted)
            {
                openings.Add(OpenOneAsync());
            }

            // If the first attempt that ends has failed, the other attempt may still succeed.
            var first = await Task.WhenAny(openings).WaitAsync(Remaining(), time, stopped);
            var usesFirst = first.IsCompletedSuccessfully || openings.Count == 1;
            taken = usesFirst ? first : openings.Single(opening => opening != first);
            return await taken.WaitAsync(Remaining(), time, stopped);
        }
        catch (TimeoutException)
        {
            ExtendTimeout();
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

        TimeSpan Remaining() => TimeSpan.FromTicks(Math.Max(0, (timeout - time.GetElapsedTime(begun)).Ticks));
    }

    /// <summary>
    /// Opens the first channel of a connection. The client reports an open connection before the broker refuses the
    /// virtual host: only an open channel proves that the broker accepted the connection.
    /// </summary>
    /// <param name="session">The connection.</param>
    /// <param name="stopped">Cancels the wait.</param>
    public async Task<IChannel> OpenFirstChannelAsync(ConnectionSession session, CancellationToken stopped)
    {
        try
        {
            var channel = await session.OpenChannelAsync().WaitAsync(timeout, time, stopped);
            timeout = FirstTimeout(options);
            return channel;
        }
        catch (TimeoutException)
        {
            ExtendTimeout();
            throw;
        }
    }

    /// <summary>
    /// Closes a connection gracefully, within a timeout. An unresponsive connection is disposed without waiting. A
    /// connection of the application stays open. Never throws.
    /// </summary>
    public async Task DiscardAsync(IConnection connection)
    {
        if (source.IsShared)
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

    private static TimeSpan FirstTimeout(RabbitMqOptions options) =>
        options.SilenceTimeout < options.CallTimeout ? options.SilenceTimeout : options.CallTimeout;

    private void ExtendTimeout() => timeout = timeout * 2 < options.CallTimeout ? timeout * 2 : options.CallTimeout;

    private async Task<(IConnection Connection, ConnectionTraffic Traffic)> OpenOneAsync()
    {
        var traffic = new ConnectionTraffic();
        return (await source.OpenAsync(clientName, traffic, hosts), traffic);
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
}
