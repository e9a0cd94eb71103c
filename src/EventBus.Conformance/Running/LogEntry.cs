using Microsoft.Extensions.Logging;

namespace EventBus.Conformance;

/// <param name="Level">The level.</param>
/// <param name="Category">The logger's name.</param>
/// <param name="Text">The text.</param>
/// <param name="Details">The values and the exception.</param>
internal sealed record LogEntry(LogLevel Level, string Category, string Text, string Details);
