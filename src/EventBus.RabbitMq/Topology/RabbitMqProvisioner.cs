using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;

namespace EventBus;

/// <summary>
/// Creates or checks the entities that the bus needs on the broker, and reports all problems at once.
/// </summary>
internal sealed class RabbitMqProvisioner(RabbitMqOptions options)
{
    private const ushort AccessRefused = 403;
    private const ushort NotFound = 404;
    private const ushort PreconditionFailed = 406;

    /// <summary>
    /// Declares the entities again on the given channel, if the bus may create them. Used after a reconnect to restore
    /// deleted entities.
    /// </summary>
    public async Task RestoreAsync(ConnectionSession session, IChannel channel, IEnumerable<RabbitMqEntity> entities)
    {
        if (options.Provisioning == RabbitMqProvisioning.Create)
        {
            foreach (var entity in entities)
            {
                await session.CallAsync(entity.DeclareAsync(channel));
            }
        }
    }

    /// <summary>
    /// Declares the entities again, each on its own channel. Ignores refusals of the broker: the component that needs
    /// the entity reports them.
    /// </summary>
    public async Task RestoreAsync(ConnectionSession session, IEnumerable<RabbitMqEntity> entities)
    {
        if (options.Provisioning == RabbitMqProvisioning.Create)
        {
            foreach (var entity in Distinct(entities))
            {
                await TryAsync(session, entity.DeclareAsync);
            }
        }
    }

    /// <summary>Creates or checks the entities, depending on the options.</summary>
    /// <exception cref="EventBusException">
    /// Entities are missing, have other arguments or are refused. The message lists all of them.
    /// </exception>
    public async Task PrepareAsync(ConnectionSession session, IEnumerable<RabbitMqEntity> entities)
    {
        if (options.Provisioning == RabbitMqProvisioning.Off)
        {
            return;
        }

        var problems = new List<string>();
        foreach (var entity in Distinct(entities))
        {
            if (await ProblemAsync(session, entity) is { } problem)
            {
                problems.Add(problem);
            }
        }

        if (problems.Count > 0)
        {
            throw new EventBusException("RabbitMQ does not have what the bus "
                + $"needs:{string.Concat(problems.Select(problem => $"{Environment.NewLine}* {problem}"))}");
        }
    }

    // Subscriptions share some entities. RabbitMqTopology ensures that different entities have different names.
    public static IEnumerable<RabbitMqEntity> Distinct(IEnumerable<RabbitMqEntity> entities) =>
        entities.DistinctBy(entity => (entity.Name, entity.ExchangeType));

    /// <summary>
    /// Finds the problem with an entity. Each attempt uses its own channel, because a refusal closes it.
    /// </summary>
    private async Task<string?> ProblemAsync(ConnectionSession session, RabbitMqEntity entity)
    {
        if (options.Provisioning == RabbitMqProvisioning.Validate && await TryAsync(session, entity.FindAsync) is { } absent)
        {
            return absent.ReplyCode == NotFound
                ? $"{entity.Title} is missing. Create {entity}; or let the bus do it with "
                    + $"{nameof(RabbitMqOptions)}.{nameof(RabbitMqOptions.Provisioning)} = {nameof(RabbitMqProvisioning.Create)}."
                : Text(entity, absent);
        }

        // Declaring an existing entity compares it. A user without the configure permission cannot compare.
        var compared = options.Provisioning == RabbitMqProvisioning.Validate ? entity with { Bindings = [] } : entity;
        var refused = await TryAsync(session, compared.DeclareAsync);
        if (refused is null)
        {
            return null;
        }

        var mayIgnore = options.Provisioning != RabbitMqProvisioning.Create && refused.ReplyCode == AccessRefused;
        return mayIgnore ? null : Text(entity, refused);
    }

    private static string Text(RabbitMqEntity entity, ShutdownEventArgs refused) => refused.ReplyCode switch
    {
        PreconditionFailed => $"{entity.Title} exists with other arguments: {refused.ReplyText}. The bus declares {entity}. Empty and "
            + "delete it, so that it is created anew; or give the bus another name, or "
            + $"{nameof(RabbitMqOptions)}.{nameof(RabbitMqOptions.QueueType)}.",
        AccessRefused => $"{entity.Title} is refused to this user: {refused.ReplyText}. Grant the permissions configure, write and read; "
            + $"or create {entity}, and set {nameof(RabbitMqOptions)}.{nameof(RabbitMqOptions.Provisioning)} = "
            + $"{nameof(RabbitMqProvisioning.Validate)}.",
        _ => $"{entity.Title}: {refused.ReplyCode} {refused.ReplyText}",
    };

    private static async Task<ShutdownEventArgs?> TryAsync(ConnectionSession session, Func<IChannel, Task> action)
    {
        try
        {
            await session.OnChannelAsync(async channel =>
            {
                await action(channel);
                return true;
            });
            return null;
        }
        catch (OperationInterruptedException exception) when (exception.ShutdownReason is { } reason)
        {
            return reason;
        }
    }
}
