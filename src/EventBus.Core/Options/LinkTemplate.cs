namespace EventBus;

/// <summary>Defines the allowed form of the template of a link.</summary>
internal static class LinkTemplate
{
    /// <summary>The form as a regular expression.</summary>
    public const string Pattern = @"https?://[^\s{}/]+(?:[^\s{}]|\{(?:id|subscription|service)\}){0,500}";

    /// <summary>The form in words.</summary>
    public const string Allowed = "null, and http and https addresses with {id}, {subscription} and {service} after the host,";
}
