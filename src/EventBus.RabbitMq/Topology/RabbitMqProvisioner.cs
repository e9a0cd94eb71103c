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
    /// deleted entities. A refusal of the broker closes the channel and is thrown.
    /// </summary>
    public async Task RestoreOnAsync(ConnectionSession session, IChannel channel, IEnumerable<RabbitMqEntity> entities)
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
    /// Declares the entities again, each on its own channel, if the bus may create them. Ignores refusals of the
    /// broker: the component that needs the entity reports them.
    /// </summary>
    public async Task TryRestoreAsync(ConnectionSession session, IEnumerable<RabbitMqEntity> entities)
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
            var problem = await CreateOrValidateAsync(session, entity);
            if (problem is not null)
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

    // Subscriptions share some entities. A queue and an exchange may have the same name; two queues never have.
    public static IEnumerable<RabbitMqEntity> Distinct(IEnumerable<RabbitMqEntity> entities) =>
        entities.DistinctBy(entity => (entity.Name, entity.ExchangeType));

    /// <summary>Creates or checks an entity.</summary>
    /// <returns>The problem, for operators; null if there is none.</returns>
    private Task<string?> CreateOrValidateAsync(ConnectionSession session, RabbitMqEntity entity) =>
        options.Provisioning == RabbitMqProvisioning.Create ? CreateAsync(session, entity) : ValidateAsync(session, entity);

    private static async Task<string?> CreateAsync(ConnectionSession session, RabbitMqEntity entity)
    {
        var refusal = await TryAsync(session, entity.DeclareAsync);
        return refusal is null ? null : Describe(entity, refusal);
    }

    private static async Task<string?> ValidateAsync(ConnectionSession session, RabbitMqEntity entity)
    {
        var refusal = await TryAsync(session, entity.FindAsync);
        if (refusal is not null)
        {
            return refusal.ReplyCode == NotFound
                ? $"{entity.Title} is missing. Create {entity}; or let the bus do it with "
                    + $"{nameof(RabbitMqOptions)}.{nameof(RabbitMqOptions.Provisioning)} = {nameof(RabbitMqProvisioning.Create)}."
                : Describe(entity, refusal);
        }

        // The declaration of an existing entity creates nothing: the broker compares the arguments. A user without the
        // configure permission cannot compare them. Without the bindings, which would be created: they are not checked.
        var withoutBindings = entity with { Bindings = [] };
        refusal = await TryAsync(session, withoutBindings.DeclareAsync);
        return refusal is null || refusal.ReplyCode == AccessRefused ? null : Describe(entity, refusal);
    }

    private static string Describe(RabbitMqEntity entity, ShutdownEventArgs refusal) => refusal.ReplyCode switch
    {
        PreconditionFailed => $"{entity.Title} exists with other arguments: {refusal.ReplyText}. The bus declares {entity}. Delete "
            + "it (a queue only once it is empty) and create it again; or change the service name; or, for the queue of a "
            + $"subscription, set {nameof(RabbitMqOptions)}.{nameof(RabbitMqOptions.QueueType)} to its type.",
        AccessRefused => $"{entity.Title} is refused to this user: {refusal.ReplyText}. Grant the permissions configure, write and read; "
            + $"or create {entity}, and set {nameof(RabbitMqOptions)}.{nameof(RabbitMqOptions.Provisioning)} = "
            + $"{nameof(RabbitMqProvisioning.Validate)}.",
        _ => $"{entity.Title} cannot be created or checked: {refusal.ReplyCode} {refusal.ReplyText}.",
    };

    /// <summary>Runs an action on its own channel, because a refusal closes the channel.</summary>
    /// <returns>The refusal of the broker; null if there is none.</returns>
    private static async Task<ShutdownEventArgs?> TryAsync(ConnectionSession session, Func<IChannel, Task> action)
    {
        try
        {
            await session.OnChannelAsync(action);
            return null;
        }
        catch (OperationInterruptedException exception) when (exception.ShutdownReason is { } reason)
        {
            return reason;
        }
    }
}
