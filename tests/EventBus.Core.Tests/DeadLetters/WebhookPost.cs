namespace EventBus;

/// <summary>A request that the server received.</summary>
internal sealed record WebhookPost(string Request, IReadOnlyDictionary<string, string> Headers, string Body);
