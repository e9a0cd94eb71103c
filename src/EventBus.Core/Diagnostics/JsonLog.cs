using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>Defines the log messages about the JSON of event types.</summary>
/// <remarks>Log messages contain names of types and members only: never a value.</remarks>
internal static partial class JsonLog
{
    [LoggerMessage(
        64,
        LogLevel.Warning,
        "Data of {Type}, which is part of {Use}, are lost between publisher and subscriber, because JSON does not keep them: {Members}. "
            + "A [JsonIgnore] attribute on a member whose data are not needed ends this warning. Logged once for each type")]
    public static partial void DataLost(this ILogger log, string type, string use, string members);
}
