using EventBus.Transports;
using RabbitMQ.Client;

namespace EventBus;

/// <summary>
/// Reads the headers of a message: separates the CloudEvents attributes from the headers of the user.
/// </summary>
internal ref struct RabbitMqHeaders
{
    // The maximum length of a header name in the description of a defect.
    private const int MaxPrintable = 64;

    private RabbitMqAttributes attributes;

    private Dictionary<string, string>? userHeaders;

    /// <summary>Reads the headers of a message.</summary>
    /// <param name="properties">The properties of the message.</param>
    /// <param name="routingKey">The routing key, which usually equals the event type.</param>
    /// <param name="userHeaders">The headers of the user; null for none.</param>
    /// <returns>The attributes, and the first defect of the headers.</returns>
    public static RabbitMqAttributes Read(
        IReadOnlyBasicProperties properties,
        string routingKey,
        out Dictionary<string, string>? userHeaders)
    {
        var read = default(RabbitMqHeaders);

        // The client's own type has an enumerator that needs no allocation. Other types are accepted too.
        if (properties.Headers is Dictionary<string, object?> headers)
        {
            foreach (var (name, value) in headers)
            {
                read.Add(name, value, properties, routingKey);
            }
        }
        else if (properties.Headers is { } others)
        {
            foreach (var (name, value) in others)
            {
                read.Add(name, value, properties, routingKey);
            }
        }

        // The plain W3C Trace Context headers. Other programs write them, and so does the client if its traces are
        // collected.
        read.attributes.TraceParent ??= Plain(CloudEventAttributes.TraceParent);
        read.attributes.TraceState ??= Plain(CloudEventAttributes.TraceState);
        userHeaders = read.userHeaders;
        return read.attributes;

        string? Plain(string name) => properties.Headers?.TryGetValue(name, out var value) == true ? RabbitMqValue.Text(value) : null;
    }

    private void Add(string name, object? value, IReadOnlyBasicProperties properties, string routingKey)
    {
        if (RabbitMqHeaderNames.IsAttribute(name))
        {
            attributes.Set(RabbitMqHeaderNames.AttributeName(name), value, properties, routingKey);
        }
        else if (name == RabbitMqHeaderNames.Unreadable)
        {
            attributes.Defect ??= $"The header '{Printable(value)}' cannot be read: it is nested too deeply, or has a type or a value that "
                + "does not exist in .NET.";
        }
        else if (!RabbitMqHeaderNames.IsReserved(name))
        {
            AddUserHeader(name, RabbitMqValue.Text(value));
        }
    }

    private void AddUserHeader(string name, string? text)
    {
        // A header that is not text is left out.
        if (text is not null)
        {
            userHeaders ??= new Dictionary<string, string>(StringComparer.Ordinal);
            userHeaders[name] = text;
        }
    }

    // Replaces unsafe characters, because another program chose the name.
    private static string Printable(object? name) =>
        string.Concat((RabbitMqValue.Text(name) ?? "?").Take(MaxPrintable).Select(c => c is > ' ' and <= '~' ? c : '?'));
}
