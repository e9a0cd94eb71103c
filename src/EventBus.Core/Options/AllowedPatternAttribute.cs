using System.ComponentModel.DataAnnotations;
using System.Text.RegularExpressions;

namespace EventBus;

/// <summary>
/// Declares the allowed form of a text by any regular expression. The options of Core use
/// <see cref="AllowedTextAttribute"/>, so that a small native program does not contain regular expressions.
/// </summary>
/// <param name="pattern">The regular expression that the whole text must match.</param>
/// <param name="allowed">The allowed form in words.</param>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class AllowedPatternAttribute(string pattern, string allowed) : ValidationAttribute
{
    protected override ValidationResult? IsValid(object? value, ValidationContext validationContext) =>
        value is string text && Regex.IsMatch(text, $@"\A(?:{pattern})\z", RegexOptions.CultureInvariant)
            ? null
            : new ValidationResult($"{validationContext.DisplayName} is '{value}'; {allowed} are allowed.");
}
