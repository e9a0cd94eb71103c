using System.ComponentModel.DataAnnotations;
using System.Text.RegularExpressions;

namespace EventBus;

/// <summary>Declares the allowed form of a text.</summary>
/// <param name="pattern">The regular expression that the whole text must match.</param>
/// <param name="allowed">The allowed form in words.</param>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class AllowedTextAttribute(string pattern, string allowed) : ValidationAttribute
{
    /// <summary>True if null is allowed too. Default false.</summary>
    public bool AllowsNull { get; set; }

    protected override ValidationResult? IsValid(object? value, ValidationContext validationContext)
    {
        var isAllowed = value is string text
            ? Regex.IsMatch(text, $@"\A(?:{pattern})\z", RegexOptions.CultureInvariant)
            : value is null && AllowsNull;
        return isAllowed ? null : new ValidationResult($"{validationContext.DisplayName} is '{value}'; {allowed} are allowed.");
    }
}
