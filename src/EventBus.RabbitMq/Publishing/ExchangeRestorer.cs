using Microsoft.Extensions.Logging;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>Restores the exchange to which events are published, as far as the user may configure it.</summary>
internal sealed class ExchangeRestorer(RabbitMqTopology topology, RabbitMqOptions options, ILogger log)
{
    private const ushort AccessRefused = 403;

    private bool isRefusalLogged;

    /// <summary>Restores the exchange if it is missing.</summary>
    /// <returns>
    /// True if the exchange now exists. False if the bus may not create it; if it is missing, the broker refuses
    /// published events.
    /// </returns>
    public async Task<bool> RestoreAsync(RabbitMqProvisioner provisioner, ConnectionSession session)
    {
        try
        {
            await session.OnChannelAsync(channel => provisioner.RestoreOnAsync(session, channel, [topology.EventExchange]));
            return options.Provisioning == RabbitMqProvisioning.Create;
        }
        catch (OperationInterruptedException exception) when (exception.ShutdownReason?.ReplyCode == AccessRefused)
        {
            if (!isRefusalLogged)
            {
                isRefusalLogged = true;
                log.ExchangeNotDeclared(topology.Exchange, RabbitMqErrors.CauseOf(exception)!);
            }

            return false;
        }
    }
}
