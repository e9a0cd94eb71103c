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
    /// False if the bus may not create it. Then the exchange exists, or published events are refused.
    /// </returns>
    public async Task<bool> RestoreAsync(RabbitMqProvisioner provisioner, ConnectionSession session)
    {
        try
        {
            await session.OnChannelAsync(async channel =>
            {
                await provisioner.RestoreAsync(session, channel, [topology.EventExchange]);
                return true;
            });
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
