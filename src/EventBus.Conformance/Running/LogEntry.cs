using Microsoft.Extensions.Logging;

namespace EventBus.Conformance;

/// <summary>A recorded log entry.</summary>
/// <param name="Level">The level.</param>
/// <param name="Category">The name of the logger.</param>
/// <param name="Text">The message text.</param>
/// <param name="Details">The values of the placeholders in the message, and the exception.</param>
internal sealed record LogEntry(LogLevel Level, string Category, string Text, string Details);
