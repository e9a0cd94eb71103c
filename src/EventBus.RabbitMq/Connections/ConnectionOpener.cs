using EventBus.Transports;
using RabbitMQ.Client;

namespace EventBus;

/// <summary>Opens the connections of one supervised connection, each within a timeout. Not thread-safe.</summary>
/// <remarks>
/// The first timeout is that of an open connection without data (<see cref="RabbitMqOptions.SilenceTimeout"/>). It
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

    /// <summary>The hosts and ports of the broker. Contains no secrets.</summary>
    public string Address => source.Address;

    /// <summary>Opens a connection within the current timeout.</summary>
    /// <remarks>
    /// The network may have dropped the packets of an attempt that began shortly before an outage ended. If an attempt
    /// has no answer for a while, a second attempt runs in parallel, and the first open connection is used.
    /// </remarks>
    /// <param name="stopped">Cancels the wait.</param>
    public async Task<OpenedConnection> OpenAsync(CancellationToken stopped)
    {
        var secondAttemptDelay = timeout < SecondAttemptDelay * 2 ? timeout / 2 : SecondAttemptDelay;
        var startedAt = time.GetTimestamp();
        List<Task<OpenedConnection>> attempts = [OpenOneAsync()];
        Task<OpenedConnection>? used = null;
        try
        {
            await ((Task)attempts[0]).WaitAsync(secondAttemptDelay, time, stopped).Quietly();
            stopped.ThrowIfCancellationRequested();
            if (!attempts[0].IsCompleted)
            {
                attempts.Add(OpenOneAsync());
            }

            used = await Task.WhenAny(attempts).WaitAsync(Remaining(), time, stopped);
            if (!used.IsCompletedSuccessfully && attempts.Count == 2)
            {
                // The attempt that ended first has failed. The other one may still succeed.
                used = used == attempts[0] ? attempts[1] : attempts[0];
            }

            return await used.WaitAsync(Remaining(), time, stopped);
        }
        catch (TimeoutException)
        {
            ExtendTimeout();
            throw;
        }
        finally
        {
            foreach (var attempt in attempts)
            {
                if (attempt != used || !attempt.IsCompletedSuccessfully)
                {
                    _ = DiscardWhenOpenAsync(attempt);
                }
            }
        }

        TimeSpan Remaining()
        {
            var remaining = timeout - time.GetElapsedTime(startedAt);
            return remaining > TimeSpan.Zero ? remaining : TimeSpan.Zero;
        }
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
    /// Closes a connection gracefully within a timeout, and then disposes it without waiting. A connection of the
    /// application stays open. Never throws.
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

    private async Task<OpenedConnection> OpenOneAsync()
    {
        var traffic = new ConnectionTraffic();
        var client = await source.OpenAsync(clientName, traffic, hosts);
        return new OpenedConnection(client, traffic);
    }

    private async Task DiscardWhenOpenAsync(Task<OpenedConnection> attempt)
    {
        try
        {
            var opened = await attempt;
            await DiscardAsync(opened.Client);
        }
        catch (Exception)
        {
            // The connection was never opened: there is nothing to discard.
        }
    }
}
