using EventBus.Transports;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>
/// Sends queued events in their order, over a channel that is replaced whenever it is lost or refuses an event.
/// </summary>
internal sealed class PublishLoop
{
    // The pause before the next channel, if the broker has closed a channel because of an event.
    private static readonly TimeSpan RefusalPause = TimeSpan.FromMilliseconds(50);

    private readonly SupervisedConnection link;
    private readonly RabbitMqOptions options;
    private readonly TimeProvider time;
    private readonly SupervisedLoop supervisor;
    private readonly FirstOpening firstOpening;
    private readonly UnansweredEvents unanswered;
    private readonly ChannelSender sender;
    private readonly ExchangeRestorer exchangeRestorer;
    private volatile ConfirmedChannel? currentChannel;
    private ConnectionSession? currentSession;

    // True if the bus may create a missing exchange. An event that was refused because the exchange was missing is then
    // sent again.
    private bool mayCreateExchange;

    public PublishLoop(SupervisedConnection link, RabbitMqTopology topology, RabbitMqOptions options, TimeProvider time, ILogger log)
    {
        this.link = link;
        this.options = options;
        this.time = time;
        Queue = new PublishQueue(topology, time);
        Address = topology.Address;
        unanswered = new UnansweredEvents(topology);
        sender = new ChannelSender(Queue, unanswered, time);
        exchangeRestorer = new ExchangeRestorer(topology, options, log);
        firstOpening = new FirstOpening(options);
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

    /// <summary>The hosts and ports of the broker, for errors.</summary>
    public string Address { get; }

    /// <summary>The calls whose events are to be sent.</summary>
    public PublishQueue Queue { get; }

    public bool IsOpen => currentChannel is not null;

    public Exception? LastError => link.LastError ?? supervisor.LastError;

    /// <summary>Completes when events can be sent for the first time; fails if the exchange is refused.</summary>
    public Task Opened => firstOpening.Opened;

    /// <summary>Completes when the first attempt to open has failed.</summary>
    public Task Failed => Task.WhenAny(link.Failed, supervisor.Failed);

    /// <summary>Runs until it is stopped. Never throws.</summary>
    public Task RunAsync(CancellationToken stopped) => supervisor.RunAsync(UseConnectionAsync, stopped);

    /// <summary>
    /// Abandons the connection if the broker has confirmed nothing for the call timeout. The broker may still send
    /// other data, but without confirms the connection is of no use for publishing.
    /// </summary>
    public void AbandonUnconfirmed()
    {
        if (!link.IsBlocked && currentChannel?.TimeWithoutConfirm() >= options.CallTimeout)
        {
            currentSession?.Abandon(new TimeoutException($"RabbitMQ confirmed nothing for {options.CallTimeout}."));
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
                await RestoreEntitiesAsync(session);
            }

            currentChannel = confirmed;
            firstOpening.Succeed();
            var ended = await sender.SendAsync(confirmed, session, stopped);
            if (ended is null)
            {
                cause = new InvalidOperationException("RabbitMQ refused an event, and its channel was replaced.");
                return false;
            }

            cause = ended;
        }
        catch (OperationInterruptedException exception)
        {
            firstOpening.ReportRefusal($"the exchange '{options.Exchange}'", exception);
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

    private async Task RestoreEntitiesAsync(ConnectionSession session)
    {
        var provisioner = new RabbitMqProvisioner(options);
        mayCreateExchange = await exchangeRestorer.RestoreAsync(provisioner, session);
        await provisioner.TryRestoreAsync(session, Targets);
        supervisor.Succeeded();
    }
}
