using System.Text;

namespace EventBus;

/// <summary>
/// Describes how the broker last moved a message to another queue, as its header <c>x-death</c> says.
/// </summary>
/// <param name="Queue">The queue in which the message was; empty if the broker did not move it.</param>
/// <param name="Reason">The broker's word for the reason; empty if the broker did not move it.</param>
/// <param name="RoutingKey">The routing key with which the message was published; empty if it is unknown.</param>
internal readonly record struct BrokerDeath(string Queue, string Reason, string RoutingKey)
{
    public bool ExceedsDeliveryLimit => Reason == "delivery_limit";

    /// <summary>The description for operators.</summary>
    public string Text => $"RabbitMQ itself dead-lettered the event in the queue '{Queue}' ({Reason}): " + Reason switch
    {
        "delivery_limit" => "it was delivered and not acknowledged more often than the delivery limit allows.",
        "expired" => "it waited for longer than its time to live.",
        "maxlen" => "the queue was longer than its limit.",
        "rejected" => "a consumer rejected it.",
        _ => "this reason is not known to the bus.",
    };

    /// <summary>
    /// Reads the first entry of <c>x-death</c> of a message that the broker moved: that of the last move. Queue and
    /// reason come from the broker. Before RabbitMQ 4.0 the broker may keep the other fields of an entry that a
    /// publisher wrote.
    /// </summary>
    public static BrokerDeath ReadNewest(IDictionary<string, object?>? headers)
    {
        if (FirstItem(headers, "x-death") is not IDictionary<string, object?> death)
        {
            return new BrokerDeath("", "", "");
        }

        death.TryGetValue("queue", out var queue);
        death.TryGetValue("reason", out var reason);
        return new BrokerDeath(ToText(queue), ToText(reason), ToText(FirstItem(death, "routing-keys")));

        static object? FirstItem(IDictionary<string, object?>? fields, string name)
        {
            object? value = null;
            fields?.TryGetValue(name, out value);
            return value is IList<object?> { Count: > 0 } list ? list[0] : null;
        }

        static string ToText(object? value) => value is byte[] text ? Encoding.UTF8.GetString(text) : "";
    }
}
